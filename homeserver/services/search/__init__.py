"""The search of messages: an index beside the log, and what each person finds in it."""

"""Message search: an index fed from the log, and searches in what each user may see."""

"""The Matrix client-server API, as a client meets it."""

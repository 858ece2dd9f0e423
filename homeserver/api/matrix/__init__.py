"""The Matrix client-server API: another face of the same rooms."""

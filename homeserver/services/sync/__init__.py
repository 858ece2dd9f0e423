"""Keeping Matrix clients up to date (client-server API, "Syncing")."""

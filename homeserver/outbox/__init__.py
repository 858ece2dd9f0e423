"""Sending to others what waits in a table: claimed, tried, tried again later, given up in the end."""

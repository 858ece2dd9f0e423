"""Requests between servers: where a server is found, and how requests are signed."""

"""/sync, long polls, and the legacy endpoints before it (client-server API, "Syncing")."""

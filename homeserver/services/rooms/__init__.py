"""Rooms: creation, membership, aliases, directory, spaces, upgrades."""

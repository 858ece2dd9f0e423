"""Calls: credentials for the TURN server."""

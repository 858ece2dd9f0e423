"""VoIP: credentials for the TURN server."""

"""Web Push: pushes of new messages to browsers (RFC 8030, RFC 8291, RFC 8292)."""

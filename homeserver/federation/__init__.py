"""Federation: rooms that other servers take part in (server-server API)."""

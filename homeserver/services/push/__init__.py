"""Web Push: news of messages for browsers of people who have nothing open (RFC 8030, RFC 8291, RFC 8292)."""

"""Authentication: sessions, tokens, user-interactive auth, registration, log-in by others' tokens."""

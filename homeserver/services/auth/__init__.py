"""Authentication: sessions, tokens, user-interactive auth, registration, log-in with external JWTs."""

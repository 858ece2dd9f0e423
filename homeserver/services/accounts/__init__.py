"""Accounts: users of this server, their profiles, account status, and blocks."""

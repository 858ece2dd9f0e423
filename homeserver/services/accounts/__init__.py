"""Accounts: who people are, their profiles, their standing, whom they block."""

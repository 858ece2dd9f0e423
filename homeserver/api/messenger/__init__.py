"""The messenger API. Here so far: accounts, sessions and people."""

"""The feed to sockets, and what is ephemeral: typing, presence, receipts."""

"""The feed to sockets, and ephemeral state: typing, presence, receipts."""

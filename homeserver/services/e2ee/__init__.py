"""End-to-end encryption, the server's part: it keeps public keys, hands them out, and passes messages on.

Nothing here can read what people write. What a server must get right is that a key is whose it says, that each
one-time key goes to one device only, that each message arrives once, and that people hear of changes in time.
"""

"""End-to-end encryption, the server's part: it stores public keys, hands them out, and relays to-device messages.

Nothing here can decrypt messages. What a server must guarantee: a key belongs to the device and user it names, each
one-time key is claimed once, each to-device message is delivered once, and clients learn of changed keys in time.
"""

"""The protocol core: identifiers, canonical JSON, signatures, events, auth rules, state resolution.

Everything here is pure: no I/O, no await, no clock, no settings; randomness only to make a signing key. It
imports nothing else of this package. Numbers of sections and rules are those of docs/protocol.md.
"""

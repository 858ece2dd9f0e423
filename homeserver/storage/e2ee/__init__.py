"""Statements of end-to-end encryption: keys, signatures, to-device messages, key backups."""

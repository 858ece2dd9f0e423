"""Rows of end-to-end encryption: keys, signatures, messages to devices, backups."""

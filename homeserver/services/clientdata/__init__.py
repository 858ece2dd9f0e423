"""Data that clients store on the server: account data, filters, push rules."""

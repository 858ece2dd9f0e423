"""What clients store with the server: account data, filters, push rules."""

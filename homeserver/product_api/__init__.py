"""What the product APIs have in common: views, ids, calls and steps of sockets that differ by a name only."""

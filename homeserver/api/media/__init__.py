"""Files by their signed URLs."""

"""Files by their signed addresses."""

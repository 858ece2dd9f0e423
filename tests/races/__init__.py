"""Every writing call of every API, many times at once."""

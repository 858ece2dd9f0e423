"""Reports, and the checks before a send: rate, repetition, word list."""

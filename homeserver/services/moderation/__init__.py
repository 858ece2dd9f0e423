"""Reports, and the checks before a send: pace, spam, listed words."""

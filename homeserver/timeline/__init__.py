"""The write path: build, authorise, sign, append, then announce."""

"""Bridges that come with the server; each is a package that nothing else imports. See docs/bridges.md."""

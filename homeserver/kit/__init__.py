"""Helpers without domain rules for every package: caches, batching, rate limits, name cleaning."""

"""Sending: messages of the product APIs, events of Matrix clients, delayed events."""

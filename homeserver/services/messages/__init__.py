"""Sending: messages of the products, events of Matrix clients, delayed events."""

"""Sliding sync (MSC4186): windows on the list of a person's rooms, and what is news in them."""

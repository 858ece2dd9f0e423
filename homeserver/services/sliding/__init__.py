"""Sliding sync (MSC4186): windows on the list of a user's rooms, and the changes in them."""

"""Enquiries: a chat of a buyer, often a guest without an account, with a seller."""

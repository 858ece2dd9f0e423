"""What administrators of the server can do."""

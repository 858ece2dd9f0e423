"""What administrators of the server do."""

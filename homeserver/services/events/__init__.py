"""Reading events: access checks, history visibility, and rendering."""

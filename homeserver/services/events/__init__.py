"""Reading events: who may see what, and how it is shown."""

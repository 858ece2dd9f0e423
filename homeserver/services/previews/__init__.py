"""URL previews: pages are fetched safely (`web`), parsed (`page`) and cached (`service`)."""

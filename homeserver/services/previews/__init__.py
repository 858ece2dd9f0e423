"""Previews of web pages: fetched safely (`web`), read (`page`), kept for a while (`service`)."""

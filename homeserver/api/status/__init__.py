"""What everybody may ask the server about itself: is it well, is it ready, what does it speak."""

"""The kit that all faces are built with. It knows no face and no service."""

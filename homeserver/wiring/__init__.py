"""Dependency wiring: builds each service package, in the order in which `homeserver.app` lists them."""

"""The parts of a server, built in the order of their names in `homeserver.app`."""

"""Outgoing HTTP: one client for all requests of the server, and the guard of addresses that it may connect to."""

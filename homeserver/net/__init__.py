"""Outgoing HTTP: one client for all requests that the server makes, and where they may lead."""

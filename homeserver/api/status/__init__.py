"""Health, readiness and API documentation, for everyone."""

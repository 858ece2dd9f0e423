"""Load: virtual users for locust, and a bench that measures a whole server from outside."""

"""Push gateways: pushers of Matrix clients, and what their gateways are sent (push gateway API)."""

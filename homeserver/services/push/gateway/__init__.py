"""Push gateways: pushers of Matrix clients, and the notifications sent to their gateways (Push Gateway API)."""

"""Push: which events notify which users (`notifications`), push gateways (`gateway`), and Web Push (`web`)."""

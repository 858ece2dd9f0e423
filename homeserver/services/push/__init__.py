"""Push: what notifies whom (`notifications`), and how devices are told: by gateways (`gateway`) or by Web Push (`web`)."""

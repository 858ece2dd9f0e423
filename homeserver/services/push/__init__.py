"""Push: what notifies whom (`notifications`), and how devices are told: gateways (`gateway`) and Web Push (`web`)."""

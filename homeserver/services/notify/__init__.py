"""Push rules of people, what they have not read, and the gateways that tell their devices (client-server API, "Push
Notifications")."""

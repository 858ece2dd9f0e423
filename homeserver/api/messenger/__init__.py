"""The messenger API: accounts, people, chats, and one WebSocket for all of a user's chats."""

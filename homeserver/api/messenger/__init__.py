"""The messenger API: accounts, people, chats, and one socket for all of a person's chats."""

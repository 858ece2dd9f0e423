"""The chat API of the university portal: conversations, messages and one WebSocket per conversation."""

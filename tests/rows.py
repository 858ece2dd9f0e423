"""The calls that there must be, as the clients of each API make them."""

import re
from collections.abc import Iterator

UNIVERSITY_ROWS = """
    POST conversations/
    GET conversations/
    GET conversations/{uuid}
    PATCH conversations/{uuid}
    DELETE conversations/{uuid}
    GET conversations/{uuid}/participants
    POST conversations/{uuid}/participants/
    DELETE conversations/{uuid}/participants/{int}
    POST conversations/{uuid}/read
    POST messages/
    GET messages/{uuid}
    PUT messages/{uuid}
    DELETE messages/{uuid}
    POST attachments/
    POST messages/{uuid}/report
    GET users/chat-users/
    GET users/blocked/
    POST users/{int}/block
    DELETE users/{int}/block
    GET ws/conversations/{uuid}/
"""
MESSENGER_ROWS = """
    POST auth/register
    POST auth/login
    POST auth/refresh
    POST auth/logout
    GET auth/me
    GET users/me
    PATCH users/me
    GET users/
    GET users/{int}
    GET users/blocked
    POST users/{int}/block
    DELETE users/{int}/block
    POST chats/direct
    POST chats/group
    GET chats/
    GET chats/{int}
    POST chats/{int}/members/{int}
    DELETE chats/{int}/members/{int}
    POST messages
    GET chats/{int}/messages
    PATCH messages/{int}
    DELETE messages/{int}
    POST messages/{int}/report
    POST chats/{int}/read
"""
MARKETPLACE_ROWS = """
    POST chats
    GET chats/find
    GET chats/my
    GET chats/seller/{int}/grouped
    GET chats/{int}
    DELETE chats/{int}
    GET chats/{int}/info
    GET chats/{int}/messages
    POST chats/{int}/messages
    POST chats/{int}/read
    POST chats/{int}/hide
    POST chats/hide-for-order
    POST chats/{int}/invite-support
    POST chats/{int}/join-support
    POST chats/{int}/leave-support
    GET chats/support/pending
    POST upload-file
    POST upload-url
    POST file-uploaded
    GET push/vapid-public-key
    POST push/subscribe
    POST push/unsubscribe
    GET ws/{int}
    GET ws/seller/{int}
"""
SERVER_ROWS = """
    GET health
    HEAD health
    GET ready
    GET docs
    GET openapi.json
"""


def rows() -> Iterator[tuple[str, str]]:
    """Method and path of each documented call, with sample ids, with and without the last slash."""
    sample = {"{uuid}": "628d7949-d2b0-80a0-816f-818116491a36", "{int}": "17"}
    for prefix, table in (
        ("/api/unet-chat/", UNIVERSITY_ROWS),
        ("/api/v1/", MESSENGER_ROWS),
        ("/api/chat/", MARKETPLACE_ROWS),
        ("/api/v1/chat/", MARKETPLACE_ROWS),
        ("/", SERVER_ROWS),
        ("/", "GET ws"),
    ):
        for line in table.split("\n"):
            if line.strip():
                method, path = line.split()
                path = re.sub(r"\{\w+\}", lambda match: sample[match[0]], prefix + path).rstrip("/")
                yield method, path
                if prefix != "/":
                    yield method, f"{path}/"

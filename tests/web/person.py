"""Somebody with an account, who can also use the API directly."""

import itertools
from dataclasses import dataclass
from typing import Any

import aiohttp

PASSWORD = "correct horse battery"

_counter = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Person:
    """An account, and a login of it for calls of the test itself."""

    name: str
    email: str
    number: int
    tokens: dict[str, Any]
    session: aiohttp.ClientSession

    @property
    def auth_data(self) -> dict[str, Any]:
        """What a signed-in browser keeps."""
        return {
            "access": self.tokens["access_token"],
            "refresh": self.tokens["refresh_token"],
            "user_id": self.number,
        }

    async def call(self, method: str, path: str, **options: Any) -> Any:
        """A call of the chat API; its answer."""
        headers = {"Authorization": f"Bearer {self.tokens['access_token']}"}
        url = f"/api/unet-chat/{path}"
        async with self.session.request(method, url, headers=headers, **options) as response:
            text = await response.text()
            assert response.ok, f"{method} {url}: {response.status} {text}"
            return await response.json() if text else None

    async def group(self, title: str, *others: "Person") -> str:
        """Make a group; its id."""
        body = {"type": "group", "title": title, "participant_ids": [one.number for one in others]}
        made = await self.call("POST", "conversations/", json=body)
        return str(made["id"])

    async def private(self, other: "Person") -> str:
        """The private conversation with `other`; its id."""
        body = {"type": "private", "participant_ids": [other.number]}
        made = await self.call("POST", "conversations/", json=body)
        return str(made["id"])

    async def say(self, conversation_id: str, text: str, **more: Any) -> str:
        """Send a message; its id."""
        body = {"conversation_id": conversation_id, "text": text, **more}
        return str((await self.call("POST", "messages/", json=body))["id"])

    async def texts(self, conversation_id: str) -> list[str]:
        """What the newest page of a conversation says, oldest first."""
        page = await self.call("GET", f"messages/{conversation_id}", params={"limit": 100})
        return [message["text"] for message in page]


async def register(session: aiohttp.ClientSession, name: str) -> Person:
    """Make an account under this name."""
    email = f"person{next(_counter)}@example.org"
    body = {"email": email, "password": PASSWORD, "display_name": name}
    async with session.post("/api/v1/auth/register", json=body) as response:
        assert response.status == 201, await response.text()
        tokens = await response.json()
    return Person(name, email, tokens["user"]["id"], tokens, session)

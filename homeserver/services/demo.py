"""The demonstration: two accounts with known passwords and a first conversation, created once."""

import asyncio
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from homeserver.errors import NotFound
from homeserver.model import Person, Requester
from homeserver.services.accounts.accounts import Accounts
from homeserver.services.events.access import Access
from homeserver.services.messages.messages import Messages
from homeserver.services.rooms.rooms import Rooms

SELLER_EMAIL, BUYER_EMAIL = "alice@demo.example", "bob@demo.example"
_PEOPLE = (("Alice", SELLER_EMAIL), ("Bob", BUYER_EMAIL))


@dataclass(frozen=True, slots=True)
class DemoLogin:
    """An account that the login page offers; its password is random for each server."""

    email: str
    password: str
    display_name: str


class DemoAccounts:
    """Creates the demonstration's accounts, and keeps their passwords in `file` (mode 0600)."""

    def __init__(
        self, *, accounts: Accounts, rooms: Rooms, access: Access, messages: Messages, file: Path
    ) -> None:
        self._accounts = accounts
        self._rooms = rooms
        self._access = access
        self._messages = messages
        self._file = file

    async def ensure(self) -> list[DemoLogin]:
        """The two accounts, created if they do not exist."""
        logins = await asyncio.to_thread(self._logins)
        people = []
        for login in logins:
            try:
                await self._accounts.find_by_email(login.email)
            except NotFound:
                people.append(
                    await self._accounts.create(
                        display_name=login.display_name, email=login.email, password=login.password
                    )
                )
        if len(people) == len(logins):
            await self._first_conversation(*people)
        return logins

    async def _first_conversation(self, alice: Person, bob: Person) -> None:
        first, second = _requester(alice), _requester(bob)
        room = await self._rooms.create(first, kind="group", title="Welcome", people=[bob.number])
        for who, text in (
            (first, "Hello Bob! This is our first conversation."),
            (second, "Hi Alice! Open a second window and log in as me."),
        ):
            await self._messages.send(await self._access.room(who, room.room_id), text=text)

    def _logins(self) -> list[DemoLogin]:
        if self._file.exists():
            return [DemoLogin(**one) for one in json.loads(self._file.read_text())]
        made = [DemoLogin(email, secrets.token_urlsafe(9), name) for name, email in _PEOPLE]
        text = json.dumps(
            [{"email": m.email, "password": m.password, "display_name": m.display_name} for m in made],
            indent=1,
        )
        descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        return made


def _requester(person: Person) -> Requester:
    return Requester(user_id=person.user_id, number=person.number, session_key=f"demo {person.number}")

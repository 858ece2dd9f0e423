"""A call fired many times at once, judged by what the same calls do one after the other.

A case makes people and rooms of its own and says what is fired and where it shows. It is played in two equal worlds: in
one the calls follow each other, in the other they come at once. What people see in the end must be what they see after
some order of the calls one after the other; what differs by nature (ids, times, tokens) is left out. No answer may be
of a kind that none gets when they follow each other, and if one succeeds then, one succeeds at once.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from tests.api.driver import User
from tests.api.matrix.driver import Client
from tests.bridges.marketplace.people import Shopper

TIMES = 4
"""How many equal calls are fired."""
Person = Client | User | Shopper
Look = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Answer:
    """An answer, whatever its status. `code`: of an error, in the form of its API."""

    status: int
    code: str
    body: Any

    @property
    def kind(self) -> tuple[int, str]:
        return self.status, self.code


@dataclass
class Race:
    """`fire(who, n)`: the nth call, by one of `callers`. `looks`: what people see of it."""

    callers: Sequence[Person]
    fire: Callable[[Person, int], Awaitable[Answer]]
    looks: Sequence[Look] = ()

    async def one_by_one(self, callers: Sequence[Person]) -> "Outcome":
        """The calls in a row; the nth by the nth of `callers`, from the first again after the last."""
        answers = [await self.fire(callers[n % len(callers)], n) for n in range(TIMES)]
        return Outcome.of(answers, await self.seen())

    async def at_once(self, callers: Sequence[Person]) -> "Outcome":
        calls = [self.fire(callers[n % len(callers)], n) for n in range(TIMES)]
        answers = await asyncio.gather(*calls)
        return Outcome.of(answers, await self.seen())

    async def seen(self) -> str:
        """What people see, without what differs from world to world."""
        return "\n".join([plain(await look()) for look in self.looks])


@dataclass(frozen=True)
class Outcome:
    """The kinds of answers, and what people see in the end."""

    answers: frozenset[tuple[int, str]]
    seen: str

    @classmethod
    def of(cls, answers: Sequence[Answer], seen: str) -> "Outcome":
        return cls(frozenset(answer.kind for answer in answers), seen)


@dataclass
class World:
    """The people of one play of a case. `name` sets its people apart from those of other plays."""

    session: aiohttp.ClientSession
    name: str
    service_key: str = ""
    matrix: dict[str, Client] = field(default_factory=dict)

    async def people(self, *names: str) -> list[Client]:
        """New Matrix accounts."""
        for name in names:
            body = {
                "username": f"{name}-{self.name}",
                "password": PASSWORD,
                "device_id": name.upper(),
                "auth": {"type": "m.login.dummy"},
            }
            nobody = Client(self.session)
            self.matrix[name] = nobody.of(await nobody.call("POST", "register", body=body))
        return [self.matrix[name] for name in names]

    async def users(self, *names: str) -> list[User]:
        """New accounts of the product APIs."""
        made = []
        for name in names:
            body = {
                "email": f"{name}.{self.name}@example.org",
                "password": PASSWORD,
                "display_name": name.capitalize(),
            }
            async with self.session.post("/api/v1/auth/register", json=body) as answer:
                found = await answer.json()
                assert answer.status == 201, found
            number, tokens = found["user"]["id"], (found["access_token"], found["refresh_token"])
            made.append(User(self.session, tokens[0], number, name.capitalize(), tokens[1]))
        return made


PASSWORD = "correct horse battery"


async def ask(
    session: aiohttp.ClientSession, method: str, path: str, headers: Mapping[str, str], **options: Any
) -> Answer:
    """One call. A form is given as a function that makes it, as it can be sent only once."""
    if callable(options.get("data")):
        options["data"] = options["data"]()
    async with session.request(method, path, headers=headers, **options) as answer:
        text = await answer.text()
        body = json.loads(text) if answer.content_type == "application/json" and text else text
        code = ""
        if answer.status >= 400 and isinstance(body, dict):
            code = str(body.get("errcode") or body.get("code") or "")
        return Answer(answer.status, code, body)


def headers_of(person: Person) -> dict[str, str]:
    if isinstance(person, Client):
        return {"Authorization": f"Bearer {person.token}"} if person.token else {}
    return dict(person.headers)


def calls(
    callers: Sequence[Person],
    method: str,
    path: str | Callable[[Person, int], str],
    *,
    looks: Sequence[Look] = (),
    **options: Any,
) -> Race:
    """A race of one call. `path` and the options `json`, `data` may be made for each: `(who, n)`."""

    async def fire(who: Person, n: int) -> Answer:
        made = {
            name: value(who, n) if name == "json" and callable(value) else value
            for name, value in options.items()
        }
        at = path if isinstance(path, str) else path(who, n)
        return await ask(who.session, method, at, headers_of(who), **made)

    return Race(callers, fire, looks)


def sees(person: Person, *paths: str) -> list[Look]:
    """What a person gets at these paths; an error is shown as its code."""

    def look(number: int, path: str) -> Look:
        async def get() -> Any:
            answer = await ask(person.session, "GET", path, headers_of(person))
            return [number, answer.status, answer.code or answer.body]

        return get

    return [look(number, path) for number, path in enumerate(paths)]


_VOLATILE = (
    r"next_batch|prev_batch|start|end|age|age_ts|ts|last_active_ago|origin_server_ts|event_id|access_token|session"
    r"|refresh_token|expires_in_ms|created_at|updated_at|edited_at|joined_at|last_seen_ts|last_seen_ip|etag|count|id"
    r"|chat_id|message_id|user_id|sender_id|author_id|conversation_id|last_message_at|last_message_time|url|room_id"
    r"|creator_id|created_by|sha256|ed25519:[^\"]*|support_user_id|delay_id|service_id|file_url|upgraded_ts|filter_id|transaction_id|seller_id|buyer_id|anonymous_buyer_number|txn_id"
)
_LEFT_OUT = [
    (re.compile(rf'"({_VOLATILE})": ("(?:[^"\\]|\\.)*"|-?[0-9.]+|null)'), r'"\1": ""'),
    (re.compile(r"\$[\w-]{43}"), "$"),
    (re.compile(r"![A-Za-z0-9_-]{20,}(:[\w.]+)?"), "!"),
    (re.compile(r"mxc://[\w.]+/\w+"), "mxc"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "uuid"),
    (re.compile(r"\b[0-9]{12,}\b"), "0"),
    (re.compile(r"[-.]w[0-9]+x[0-9]+"), ""),
    (re.compile(r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.+Z-]*"), "time"),
]


def plain(seen: Any) -> str:
    """JSON without ids, times and tokens."""
    text = json.dumps(seen, sort_keys=True, ensure_ascii=False, indent=0)
    for pattern, instead in _LEFT_OUT:
        text = pattern.sub(instead, text)
    return text


@dataclass(frozen=True)
class Case:
    """A call to be raced. `route`: method and path as the API's table has them.

    `several`: also by the callers in turn, not only by the first. `survives`: what an acknowledged call did must be
    there after a crash; not so for what is kept in memory only. `refusals`: status and code of answers that
    only calls at once get.
    """

    name: str
    route: str
    prepare: Callable[[World], Awaitable[Race]]
    several: bool
    survives: bool
    refusals: frozenset[tuple[int, str]]


CASES: list[Case] = []


def case(
    method: str,
    path: str,
    *,
    several: bool = False,
    survives: bool = True,
    refusals: Collection[tuple[int, str]] = (),
) -> Callable[[Callable[[World], Awaitable[Race]]], Callable[[World], Awaitable[Race]]]:
    """Register a case."""

    def register(prepare: Callable[[World], Awaitable[Race]]) -> Callable[[World], Awaitable[Race]]:
        name = f"{prepare.__module__.rpartition('.')[2]}.{prepare.__name__}"
        CASES.append(Case(name, f"{method} {path}", prepare, several, survives, frozenset(refusals)))
        return prepare

    return register

"""What may be used once, or so many times, is used no more often, however many try at once."""

import asyncio
import hmac
from collections import Counter
from collections.abc import Awaitable, Iterable
from typing import Any

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import CLIENT, PASSWORD, Client
from tests.api.matrix.mediakit import place_of
from tests.api.matrix.roomkit import create, path, texts
from tests.api.matrix.synckit import Follower
from tests.names import fresh, room_alias

pytestmark = pytest.mark.both
MANY = 30
SECRET = "a shared secret of the tests"


async def answer(by: Client, method: str, at: str, body: Any) -> tuple[int, Any]:
    """Status and JSON, whatever they are."""
    at = at if at.startswith("/") else f"{CLIENT}/{at}"
    headers = {"Authorization": f"Bearer {by.token}"} if by.token else {}
    async with by.session.request(method, at, json=body, headers=headers) as got:
        return got.status, await got.json()


async def statuses(calls: Iterable[Awaitable[tuple[int, Any]]]) -> dict[int, int]:
    """How many calls at once had each status."""
    return dict(Counter(status for status, _ in await asyncio.gather(*calls)))


async def test_a_login_token_lets_one_device_in(nobody: Client, alice: Client) -> None:
    made = await alice.prove("POST", "/_matrix/client/v1/login/get_token", {})
    body = {"type": "m.login.token", "token": made["login_token"]}
    assert await statuses(answer(nobody, "POST", "login", body) for _ in range(MANY)) == {
        200: 1,
        403: MANY - 1,
    }
    assert len((await alice.call("GET", "devices"))["devices"]) == 2


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True, "shared_secret": SECRET}}])
async def test_a_nonce_makes_one_account(nobody: Client) -> None:
    register = "/_synapse/admin/v1/register"
    nonce = (await nobody.call("GET", register))["nonce"]

    def body(n: int) -> dict[str, Any]:
        name = fresh(f"made{n}")
        text = "\0".join([nonce, name, PASSWORD, "notadmin"])
        mac = hmac.new(SECRET.encode(), text.encode(), "sha1").hexdigest()
        return {"nonce": nonce, "username": name, "password": PASSWORD, "mac": mac, "admin": False}

    calls = [answer(nobody, "POST", register, body(n)) for n in range(MANY)]
    assert await statuses(calls) == {200: 1, 400: MANY - 1}


TOKENS = {"matrix": {"enabled": True, "registration_needs_token": True}}
TOKEN_STAGE = "m.login.registration_token"


async def begun(nobody: Client, name: str) -> dict[str, Any]:
    """A registration that was asked for its token."""
    body = {"username": fresh(name), "password": PASSWORD}
    asked = await nobody.call("POST", "register", 401, body=body)
    return {**body, "auth": {"type": TOKEN_STAGE, "session": asked["session"]}}


def with_token(body: dict[str, Any], token: str) -> dict[str, Any]:
    return {**body, "auth": {**body["auth"], "token": token}}


@pytest.mark.parametrize("overrides", [TOKENS])
async def test_a_registration_token_makes_as_many_accounts_as_it_says(
    nobody: Client, server: Running
) -> None:
    token = (await server.hs.auth.registration_tokens.create(uses=3)).token
    begun_all = [with_token(await begun(nobody, f"new{n}"), token) for n in range(MANY)]
    calls = [answer(nobody, "POST", "register", body) for body in begun_all]
    assert await statuses(calls) == {200: 3, 401: MANY - 3}


@pytest.mark.parametrize("overrides", [TOKENS])
async def test_a_registration_sent_at_once_uses_its_token_once(nobody: Client, server: Running) -> None:
    token = (await server.hs.auth.registration_tokens.create(uses=2)).token
    body = with_token(await begun(nobody, "eager"), token)
    answers = await asyncio.gather(*(answer(nobody, "POST", "register", body) for _ in range(MANY)))
    assert len({found["user_id"] for status, found in answers if status == 200}) == 1
    validity = f"/_matrix/client/v1/register/{TOKEN_STAGE}/validity"
    assert await nobody.call("GET", validity, params={"token": token}) == {"valid": True}, "one use is left"


async def test_a_name_and_an_alias_are_taken_once(nobody: Client, alice: Client) -> None:
    body = {"username": fresh("wanted"), "password": PASSWORD, "auth": {"type": "m.login.dummy"}}
    assert await statuses(answer(nobody, "POST", "register", body) for _ in range(10)) == {200: 1, 400: 9}
    rooms = [await create(alice) for _ in range(3)]
    alias = f"directory/room/{room_alias('wanted').replace('#', '%23')}"
    calls = [answer(alice, "PUT", alias, {"room_id": rooms[n % 3]}) for n in range(MANY)]
    assert await statuses(calls) == {200: 1, 409: MANY - 1}


async def test_a_reserved_address_gets_one_file(alice: Client) -> None:
    place = place_of((await alice.call("POST", "/_matrix/media/v1/create"))["content_uri"])
    calls = [answer(alice, "PUT", f"/_matrix/media/v3/upload/{place}", {"n": n}) for n in range(MANY)]
    found = await statuses(calls)
    assert found[200] == 1, found
    assert set(found) <= {200, 409, 429}, "429: too many uploads at once"


async def test_a_delayed_event_is_sent_once(alice: Client) -> None:
    room_id = await create(alice)
    delayed = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"
    at = path(room_id, "send/m.room.message/later")
    text = {"msgtype": "m.text", "body": "later"}
    made = await alice.call("PUT", at, body=text, params={"org.matrix.msc4140.delay": "100000"})
    calls = [
        answer(alice, "POST", f"{delayed}/{made['delay_id']}", {"action": action})
        for action in ("send",) * 15 + ("restart",) * 15
    ]
    found = await statuses(calls)
    assert set(found) <= {200, 409}, "409: it was sent before"
    chunk = (await alice.call("GET", path(room_id, "messages?dir=b&limit=20")))["chunk"]
    assert texts(chunk) == ["later"]
    assert (await alice.call("GET", delayed))["delayed_events"] == []


async def test_what_is_cancelled_is_not_sent(alice: Client) -> None:
    """Whoever sends it at the same time: who is told 200 for the one gets 409 for the other."""
    room_id = await create(alice)
    delayed = "/_matrix/client/unstable/org.matrix.msc4140/delayed_events"
    told: dict[str, dict[str, set[int]]] = {}

    async def steer(name: str, delay_id: str, action: str) -> None:
        status, _ = await answer(alice, "POST", f"{delayed}/{delay_id}", {"action": action})
        told.setdefault(name, {}).setdefault(action, set()).add(status)

    calls = []
    for n in range(8):
        name = f"later {n}"
        at = path(room_id, f"send/m.room.message/{n}")
        text = {"msgtype": "m.text", "body": name}
        made = await alice.call("PUT", at, body=text, params={"org.matrix.msc4140.delay": "100000"})
        actions = ("send", "cancel", "send", "cancel") if n % 2 else ("cancel", "send", "cancel", "send")
        calls += [steer(name, made["delay_id"], action) for action in actions]
    await asyncio.gather(*calls)
    chunk = (await alice.call("GET", path(room_id, "messages?dir=b&limit=50")))["chunk"]
    sent = set(texts(chunk))
    for name, statuses_of in told.items():
        expected = {"send": {200}, "cancel": {409}} if name in sent else {"send": {409}, "cancel": {200}}
        assert statuses_of == expected, (name, name in sent)


async def test_a_transaction_happens_once(alice: Client, bob: Client) -> None:
    room_id = await create(alice, bob)
    his = Follower(bob)
    await his.sync()
    text = {"msgtype": "m.text", "body": "once"}
    message = {"messages": {bob.user_id: {"*": {"text": "once"}}}}
    calls = [
        answer(alice, "PUT", at, body)
        for at, body in (
            (path(room_id, "send/m.room.message/once"), text),
            ("sendToDevice/org.example/once", message),
        )
        for _ in range(MANY)
    ]
    answers = await asyncio.gather(*calls)
    assert {status for status, _ in answers} == {200}
    assert len({found["event_id"] for _, found in answers[:MANY]}) == 1
    told = await his.sync()
    assert len(told["to_device"]["events"]) == 1
    assert texts(told["rooms"]["join"][room_id]["timeline"]["events"]) == ["once"]


BOUNDS = {"matrix": {"enabled": True, "max_filters": 10, "max_delayed_events": 5, "max_room_aliases": 4}}


@pytest.mark.parametrize("overrides", [BOUNDS])
async def test_bounds_hold_for_what_comes_at_once(alice: Client) -> None:
    filters = f"user/{alice.user_id.replace('@', '%40')}/filter"
    wanted = [{"room": {"timeline": {"limit": n}}} for n in range(1, MANY + 1)]
    assert await statuses(answer(alice, "POST", filters, body) for body in wanted) == {
        200: 10,
        413: MANY - 10,
    }
    room_id = await create(alice)
    text = {"msgtype": "m.text", "body": "later"}
    delay = "org.matrix.msc4140.delay=100000"
    calls = [
        answer(alice, "PUT", f"{path(room_id, f'send/m.room.message/{n}')}?{delay}", text)
        for n in range(MANY)
    ]
    assert await statuses(calls) == {200: 5, 400: MANY - 5}
    aliases = [f"directory/room/{room_alias(f'one{n}').replace('#', '%23')}" for n in range(MANY)]
    calls = [answer(alice, "PUT", alias, {"room_id": room_id}) for alias in aliases]
    found = await statuses(calls)
    assert found == {200: 4, 413: MANY - 4}
    kept = await alice.call("GET", path(room_id, "aliases"))
    assert len(kept["aliases"]) == 4

"""Web Push below the APIs: where requests may go, how often they are tried, and what a message costs."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from homeserver.app import Homeserver, build
from homeserver.clock import FakeClock
from homeserver.errors import Invalid, RateLimited, Unavailable
from homeserver.lifecycle import working
from homeserver.metrics import spending
from homeserver.model import Content, Requester, SessionId
from homeserver.net.client import HttpClient
from homeserver.net.publicnet import Guard, is_public
from homeserver.services.push.addresses import origin_of
from homeserver.services.push.client import PushClient
from homeserver.services.push.web.encryption import Sealed
from homeserver.services.push.web.texts import Notice, PushFace
from homeserver.settings.models import PushSettings, Settings
from homeserver.storage import log
from homeserver.storage import push as stored
from homeserver.storage.log import Entry
from homeserver.timeline.entries import session_ended
from tests.chat.pushing import QUICK, SUBJECT, Browser, PushService, push_service, waiting
from tests.chat.world import ByIds, group, person
from tests.http.kit import until


@pytest.fixture
def overrides() -> dict[str, object]:
    quick = {**QUICK, "poll_interval_s": 0.02}  # tests move the clock, of which no timer hears
    return {"push": {**quick, "first_pause_s": 10, "longest_pause_s": 15, "max_tries": 3, "ttl_s": 3600}}


@pytest.fixture
async def service() -> AsyncIterator[PushService]:
    async with push_service() as made:
        yield made


async def words(notices: Sequence[Notice]) -> Sequence[Content | None]:
    return [{"body": one.text} for one in notices]


@pytest.fixture
async def hs(settings: Settings, clock: FakeClock) -> AsyncIterator[Homeserver]:
    built = build(settings, clock=clock)
    async with working(built):
        built.push.faces.add(PushFace("test", words))
        built.push.start(built.core.tasks)
        yield built


async def subscribe(hs: Homeserver, who: Requester, browser: Browser) -> None:
    keys = browser.subscription()["keys"]
    await hs.push.subscriptions.add(who, "test", endpoint=browser.endpoint, **keys)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("1.1.1.1", True),
        ("2606:4700:4700::1111", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("::1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("ff02::1", False),
        ("::ffff:127.0.0.1", False),
        ("::ffff:1.1.1.1", True),
        ("2002:7f00:1::", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("64:ff9b:1::1", False),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", False),
    ],
)
def test_which_addresses_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_a_signature_is_good_for_one_origin() -> None:
    assert origin_of("https://Push.Example:443/a/b?c") == "https://push.example"
    assert origin_of("https://push.example:8443/a") == "https://push.example:8443"


@pytest.mark.parametrize(
    "subject", ["admin@example.org", "mailto:", "mailto:a b@c", "http://example.org", "https:"]
)
def test_somebody_must_be_named_in_a_form_that_push_services_take(subject: str) -> None:
    with pytest.raises(ValueError, match="subject"):
        PushSettings(subject=subject)


async def test_a_name_that_leads_to_a_private_address_is_not_asked(
    service: PushService, clock: FakeClock
) -> None:
    """However harmless it looked when it was subscribed: what counts is where the socket would go."""
    sealed = Sealed(b"x", {})
    endpoint = service.url.replace("127.0.0.1", "localhost") + "/x"
    for address in (endpoint, f"{service.url}/x"):
        for guard, status in ((Guard(), 0), (Guard(None), 201)):
            client = HttpClient(guard, connections=1)
            answer = await PushClient(client, clock, timeout_s=5).post(address, sealed, ttl_s=1, topic="t")
            await client.close()
            assert answer.status == status
    assert len(service.got) == 2, "only where the settings allow it"


async def test_a_failing_push_service_is_asked_less_and_less(
    hs: Homeserver, clock: FakeClock, service: PushService
) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob)
    browser = service.browser("bob")
    await subscribe(hs, bob, browser)
    tried = hs.core.metrics.value
    service.refusals += [(500, {}), (429, {"Retry-After": "600"}), (503, {}), (201, {})]
    service.refusals += [(503, {"Retry-After": "86400"})]
    await ByIds(hs).send(alice, room.room_id, text="given up")
    pauses = []
    for tries in (1, 2):
        await until(lambda: tried("homeserver_pushes_total", outcome="again") == tries)  # noqa: B023 - awaited here
        async with hs.core.db.read() as conn:
            due_ms = await stored.waiting.next_due_ms(conn) or 0
        pauses.append(due_ms - clock.now_ms())
        clock.advance(pauses[-1])
    assert pauses == [10_000, 600_000]
    await until(lambda: tried("homeserver_pushes_total", outcome="dropped") == 1)
    await ByIds(hs).send(alice, room.room_id, text="taken")
    await until(lambda: tried("homeserver_pushes_total", outcome="sent") == 1)
    await ByIds(hs).send(alice, room.room_id, text="nobody need be told so late")
    await until(lambda: tried("homeserver_pushes_total", outcome="dropped") == 2)
    assert [browser.open(one)["body"] for one in service.got[:4]] == [*["given up"] * 3, "taken"]


async def test_who_may_not_hear_is_not_told(hs: Homeserver, clock: FakeClock, service: PushService) -> None:
    people = [await person(hs, name) for name in ("Alice", "Bob", "Carol", "Dave", "Erin")]
    alice, bob, carol, dave, erin = people
    room = await group(hs, *people)
    for who in (bob, carol, dave, erin):
        await subscribe(hs, who, service.browser(str(who.number)))
    await hs.accounts.blocks.block(bob, alice.user_id)
    await hs.rooms.members.remove(alice, room.room_id, carol.number)
    await hs.accounts.accounts.suspend(dave.user_id)
    for text in ("one", "two"):
        await ByIds(hs).send(alice, room.room_id, text=text)
    assert {one.path for one in await service.delivered(2)} == {f"/{erin.number}"}
    await waiting(hs.core.db, 0)
    assert len(service.got) == 2


@pytest.mark.parametrize("overrides", [{"push": {**QUICK, "hold_s": 1}}])
async def test_a_push_says_what_the_message_says_by_then(
    hs: Homeserver, clock: FakeClock, service: PushService
) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room, send = await group(hs, alice, bob), ByIds(hs).send
    browser = service.browser("bob")
    await subscribe(hs, bob, browser)
    sent = [await send(alice, room.room_id, text=text) for text in ("deleted", "edited", "kept")]
    await waiting(hs.core.db, 3)
    await ByIds(hs).redact(alice, sent[0].event_id)
    await ByIds(hs).edit(alice, sent[1].event_id, text="as it reads now")
    await hs.rooms.rooms.change(alice, room.room_id, title="of which nobody need be told")
    clock.advance(1000)
    assert [browser.open(one)["body"] for one in await service.delivered(2)] == ["as it reads now", "kept"]
    await waiting(hs.core.db, 0)


async def test_a_session_takes_its_browsers_along(
    hs: Homeserver, service: PushService, clock: FakeClock
) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob)
    for name in ("phone", "laptop"):
        await subscribe(hs, replace(bob, session_id=SessionId(name)), service.browser(name))
    await hs.core.timeline.append([session_ended(bob.user_id, SessionId("phone"), "logout")])
    await ByIds(hs).send(alice, room.room_id, text="to the laptop")
    await service.delivered(1)
    await hs.core.timeline.append([session_ended(bob.user_id, None, "password")])
    await ByIds(hs).send(alice, room.room_id, text="to nobody")
    clock.advance(1)
    await subscribe(hs, bob, service.browser("new"))
    await ByIds(hs).send(alice, room.room_id, text="to the new one")
    assert [one.path for one in await service.delivered(2)] == ["/laptop", "/new"]


@pytest.mark.parametrize(
    "overrides",
    [{"push": {"subject": SUBJECT, "max_waiting": 2, "gather_s": 10}, "rate_limits": {"enabled": True}}],
)
async def test_a_message_costs_one_query_and_nobody_can_fill_the_table(
    hs: Homeserver, clock: FakeClock
) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob)
    async with hs.core.db.read() as conn:
        start = await log.head(conn)
    for n in range(4):
        await ByIds(hs).send(alice, room.room_id, text=str(n))
    async with hs.core.db.read() as conn:
        entries: list[Entry] = await log.entries_after(conn, start, 100)
    decide = hs.push._decider.handle
    with spending() as spent:
        assert await decide(entries) is None
    assert spent.statements == 1
    for n in range(20):
        await subscribe(hs, bob, Browser(f"https://push.example/{n}"))
    with pytest.raises(RateLimited):
        await subscribe(hs, bob, Browser("https://push.example/one-too-many"))
    with pytest.raises(Invalid):
        await subscribe(hs, bob, Browser("https://localhost/"))
    effect = await decide(entries)
    assert effect is not None
    async with hs.core.db.write() as conn:
        await effect(conn)
    assert len(await waiting(hs.core.db, 20)) == 20, "ten browsers at most, two pushes for each"
    clock.advance(86_400_001)
    assert await decide(entries) is None, "too old to be told of"


async def test_words_that_fail_are_said_later(
    hs: Homeserver, service: PushService, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob)
    browser = service.browser("bob")
    await subscribe(hs, bob, browser)

    async def fail(_notices: Sequence[Notice]) -> Sequence[Content | None]:
        hs.push.faces.add(PushFace("test", words))
        raise RuntimeError("lost for words")

    hs.push.faces.add(PushFace("test", fail))
    await ByIds(hs).send(alice, room.room_id, text="said later")
    await until(lambda: "test could not say what it pushes" in caplog.text)
    clock.advance(15_001)
    assert browser.open((await service.delivered(1))[0]) == {"body": "said later"}


async def test_what_was_sent_while_the_database_was_away_is_not_sent_again(
    hs: Homeserver, service: PushService, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob)
    browser = service.browser("bob")
    await subscribe(hs, bob, browser)
    there = stored.waiting.drop

    async def away(_conn: object, _keys: object) -> None:
        monkeypatch.setattr(stored.waiting, "drop", there)
        clock.advance(15_001)  # nobody holds the push any more
        raise Unavailable("the database does not answer", code="database_away")

    monkeypatch.setattr(stored.waiting, "drop", away)
    for text in ("one", "two"):
        await ByIds(hs).send(alice, room.room_id, text=text)
    assert [browser.open(one)["body"] for one in await service.delivered(2)] == ["one", "two"]
    assert stored.waiting.drop is there

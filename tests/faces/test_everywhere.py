"""One story for every ordered pair of APIs: what is done here is seen there, at once and later, with equal ids."""

from collections.abc import Callable
from itertools import product

import aiohttp
import pytest

from tests.api.driver import register
from tests.faces.hands import Hand, Messenger, News, University

FACES: dict[str, Callable[..., Hand]] = {"university": University, "messenger": Messenger}
PAIRS = list(product(FACES, repeat=2))


@pytest.fixture(params=PAIRS, ids=[f"{here} to {there}" for here, there in PAIRS])
async def hands(request: pytest.FixtureRequest, client: aiohttp.ClientSession) -> tuple[Hand, Hand]:
    """Alice at one API and Bob at the other, in a room that she made."""
    here, there = request.param
    alice, bob = FACES[here](await register(client, "Alice")), FACES[there](await register(client, "Bob"))
    await alice.make(bob.user, "Everywhere")
    await bob.find("Everywhere")
    return alice, bob


async def test_a_message_from_its_birth_to_its_end(hands: tuple[Hand, Hand]) -> None:
    alice, bob = hands
    async with bob.listens() as his:
        sent = await alice.says("Привет!")
        assert await his.news("new") == News("new", sent.place, "Alice", "Привет!")
        assert await bob.page() == [sent]
        assert (await bob.unread(), await bob.last()) == (1, sent.place)
        await alice.edits(sent, "Салам!")
        assert await his.news("edited") == News("edited", sent.place, "Alice", "Салам!")
        assert [one.text for one in await bob.page()] == ["Салам!"]
        await alice.deletes(sent)
        assert await his.news("deleted") == News("deleted", sent.place)
    assert await bob.page() == await alice.page() == []
    assert (await bob.unread(), await bob.last()) == (0, 0)


async def test_a_file(hands: tuple[Hand, Hand]) -> None:
    alice, bob = hands
    async with bob.listens() as his:
        sent = await alice.sends_file("notes.txt", b"hello")
        assert await his.news("new") == News("new", sent.place, "Alice", "notes.txt", ("notes.txt",))
    assert await bob.page() == [sent]
    assert sent.files == ("notes.txt",)


async def test_a_read_mark(hands: tuple[Hand, Hand]) -> None:
    alice, bob = hands
    first, second = [await alice.says(text) for text in ("one", "two")]
    assert (await alice.unread(), await bob.unread()) == (0, 2)
    async with alice.listens() as hers:
        await bob.reads(first)
        assert await hers.news("read") == News("read", first.place, "Bob")
        assert await bob.unread() == 1
        await bob.reads(second)
        assert await hers.news("read") == News("read", second.place, "Bob")
    assert await bob.unread() == 0


async def test_typing(hands: tuple[Hand, Hand]) -> None:
    alice, bob = hands
    async with bob.listens() as his, alice.listens() as hers:
        await hers.types()
        assert await his.news("typing") == News("typing", 0, "Alice")


async def test_presence(hands: tuple[Hand, Hand]) -> None:
    alice, bob = hands
    async with bob.listens() as his:
        async with alice.listens():
            assert await his.news("presence") == News("presence", 0, "Alice")
        assert await his.news("presence") == News("presence", 0, "Alice")

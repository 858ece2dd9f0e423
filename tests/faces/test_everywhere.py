"""One story for every ordered pair of APIs: what is done here is seen there, at once and later, with equal ids.

Alice and Bob have accounts at one host application, which every API knows. Where one of the two looks through the
marketplace, the room is a chat about a listing: a guest is its buyer and the other one its seller; of two accounts the
first to stand there is the seller. Two guests never meet, as a chat has one buyer and its seller has an account.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import product

import aiohttp
import pytest

from homeserver.lifecycle import Running
from homeserver.storage.db import Database
from tests.api.driver import User
from tests.api.university.test_attachments import picture
from tests.bridges.marketplace.people import Shopper, guest, token
from tests.faces.hands import Hand, Listening, Messenger, News, University, place
from tests.faces.market import Marketplace
from tests.faces.matrix import Matrix
from tests.names import fresh_number

FACES = ("university", "messenger", "guest", "seller", "matrix")
PAIRS = [pair for pair in product(FACES, repeat=2) if pair != ("guest", "guest")]


@dataclass
class Story:
    """Alice at one API and Bob at another, in a room of the two, each with an open socket."""

    alice: Hand
    bob: Hand
    hers: Listening
    his: Listening


def shopper(user: User) -> Shopper:
    return Shopper(user.session, str(user.id), user.headers)


HANDS: dict[str, Callable[[User, Database], Hand]] = {
    "university": lambda user, _: University(user),
    "messenger": lambda user, _: Messenger(user),
    "seller": lambda user, _: Marketplace(shopper(user), user.name),
    "guest": lambda user, _: Marketplace(guest(user.session)),
    "matrix": Matrix,
}


async def meet(client: aiohttp.ClientSession, db: Database, here: str, there: str) -> tuple[Hand, Hand]:
    """Alice and Bob in a room of the two."""
    alice, bob = (
        User(client, token(number, username=name), number, name)
        for number, name in ((fresh_number(2), "Alice"), (fresh_number(7), "Bob"))
    )
    for one in (alice, bob):
        await one.call("GET", "/api/v1/users/me")  # an account is there once it was used
    first, second = HANDS[here](alice, db), HANDS[there](bob, db)
    if here == "guest" or (there == "seller" != here):
        buyer = first.shopper if isinstance(first, Marketplace) else shopper(alice)
        room = (await buyer.open(seller=bob.id))["id"]
    elif there == "guest" or here == "seller":
        buyer = second.shopper if isinstance(second, Marketplace) else shopper(bob)
        room = (await buyer.open(seller=alice.id))["id"]
    else:
        room = place((await alice.group(bob))["id"])
    await first.find(room)
    await second.find(room)
    return first, second


@pytest.mark.parametrize(("here", "there"), PAIRS, ids=[f"{here} to {there}" for here, there in PAIRS])
async def test_one_room(server: Running, client: aiohttp.ClientSession, here: str, there: str) -> None:
    alice, bob = await meet(client, server.hs.core.db, here, there)
    shows_presence = not any("presence" in one.lacks for one in (alice, bob))
    async with AsyncExitStack() as stack:
        his = await stack.enter_async_context(bob.listens())
        async with alice.listens() as hers:
            if shows_presence:
                assert await his.news("presence") == News("presence", 0, alice.name, is_on=True)
            story = Story(alice, bob, hers, his)
            await a_message_from_its_birth_to_its_end(story)
            await a_file(story)
            await read_marks(story)
            await typing(story)
        if shows_presence:
            assert await his.news("presence") == News("presence", 0, alice.name, is_on=False)


async def a_message_from_its_birth_to_its_end(story: Story) -> None:
    """What Alice's API has no call for Bob does, who may delete it as an admin; no admin edits another's words."""
    alice, bob = story.alice, story.bob
    sent = await alice.says("Привет!")
    assert sent.sender == alice.name
    for ear in (story.his, story.hers):
        assert await ear.news("new") == News("new", sent.place, alice.name, "Привет!")
    assert await bob.page() == [sent]
    assert (await bob.unread(), await bob.last()) == (1, "Привет!")
    if "edit" not in alice.lacks:
        await alice.edits(sent, "Салам!")
        assert await story.his.news("edited") == News("edited", sent.place, alice.name, "Салам!")
        assert [one.text for one in await bob.page()] == ["Салам!"]
        assert await bob.last() == "Салам!"
    able = [one for one in (alice, bob) if "delete" not in one.lacks]
    if able:
        await able[0].deletes(sent)
        assert await story.his.news("deleted") == News("deleted", sent.place)
        assert await bob.page() == await alice.page() == []
        assert (await bob.unread(), await bob.last()) == (0, "")


async def a_file(story: Story) -> None:
    alice, bob = story.alice, story.bob
    sent = await alice.sends_file("photo.png", picture(8, 8))
    assert (sent.sender, sent.files) == (alice.name, ("photo.png",))
    assert await story.his.news("new") == News("new", sent.place, alice.name, "photo.png", ("photo.png",))
    assert (await bob.page())[-1] == sent


async def typing(story: Story) -> None:
    """Whoever looks later sees it too; it ends with the message, before that is told."""
    alice, bob = story.alice, story.bob
    is_on, is_off = (News("typing", 0, alice.name, is_on=is_on) for is_on in (True, False))
    await story.hers.types()
    assert await story.his.news("typing") == is_on
    async with bob.listens() as late:
        assert await late.news("typing") == is_on
        sent = await alice.says("typed")
        for ear in (story.his, late):
            assert await ear.news("typing") == is_off
            assert (await ear.news("new")).place == sent.place


async def read_marks(story: Story) -> None:
    alice, bob = story.alice, story.bob
    before = await bob.unread()
    first, second = [await alice.says(text) for text in ("one", "two")]
    assert (await alice.unread(), await bob.unread()) == (0, before + 2)
    if "read up to" not in bob.lacks:
        await bob.reads(first)
        assert await story.hers.news("read") == News("read", told(alice, first.place), bob.name)
        assert await bob.unread() == 1
    await bob.reads(second)
    assert await story.hers.news("read") == News("read", told(alice, second.place), bob.name)
    assert await bob.unread() == 0


def told(hand: Hand, place_of_mark: int) -> int:
    """What a hand hears of a read mark: where a chat can only be read as a whole, no place."""
    return 0 if "read up to" in hand.lacks else place_of_mark

"""Lazy loading of members loses nobody: whoever is shown as a sender is known as they are, whatever came in between.

A random story of messages, renames, leaves and joins is followed by /sync and by sliding sync, with answers that get
lost, clients that begin anew, and limits that change.
"""

import copy
import json
import random
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say, set_state
from tests.api.matrix.slidekit import Slider, a_list
from tests.api.matrix.synckit import Follower

STEPS = 60
LAZY = ["m.room.member", "$LAZY"]


@dataclass
class Story:
    """A room, the people who act in it, and two clients of the first of them."""

    dice: random.Random
    room_id: str
    people: list[Client]
    follower: Follower
    slider: Slider
    gone: set[str] = field(default_factory=set)
    said: int = 0

    def __post_init__(self) -> None:
        self.change_limits()

    def actor(self) -> Client:
        return self.dice.choice([one for one in self.people if one.user_id not in self.gone])

    async def speak(self) -> None:
        for _ in range(self.dice.randint(1, 3)):
            self.said += 1
            await say(self.actor(), self.room_id, f"message {self.said}")

    async def rename(self) -> None:
        self.said += 1
        who, content = self.actor(), {"membership": "join", "displayname": f"Name {self.said}"}
        await set_state(who, self.room_id, "m.room.member", content, who.user_id)

    async def come_or_go(self) -> None:
        reader, _, *others = self.people  # the second stays and can be asked
        who = reader if reader.user_id in self.gone else self.dice.choice([reader, *others, *others])
        await who.call("POST", path(self.room_id, "join" if who.user_id in self.gone else "leave"), body={})
        self.gone ^= {who.user_id}

    async def follow(self) -> None:
        answer = await self.follower.sync()
        room = answer.get("rooms", {}).get("join", {}).get(self.room_id)
        if room is not None:
            await self.check(room["timeline"]["events"], self.follower.state[self.room_id])

    async def slide(self) -> None:
        room = (await self.slider.sync())["rooms"].get(self.room_id)
        if room is not None and self.people[0].user_id not in self.gone:
            await self.check(room.get("timeline", []), self.slider.state[self.room_id])

    async def lose(self) -> None:
        """Answers that were made and never arrived."""
        of_both = [
            (one, copy.deepcopy({**vars(one), "client": None})) for one in (self.follower, self.slider)
        ]
        for client, before in of_both:
            await client.sync()
            vars(client).update({**before, "client": client.client})

    async def begin_anew(self) -> None:
        self.follower = Follower(self.follower.client, query=self.follower.query)
        self.slider = Slider(self.slider.client, self.slider.body)

    async def change(self) -> None:
        self.change_limits()

    def change_limits(self) -> None:
        timeline = {"limit": self.dice.randint(0, 4)}
        parts = {"state": {"lazy_load_members": True}, "timeline": timeline}
        self.follower.query = {"filter": json.dumps({"room": parts})}
        state = self.dice.choice([[LAZY], [LAZY, ["m.room.name", ""]]])
        self.slider.body = {"lists": {"all": a_list([0, 9], limit=self.dice.randint(0, 4), state=state)}}

    async def check(self, timeline: list[Any], known: dict[tuple[str, str], Any]) -> None:
        """The client has the member event of each sender that is in force now."""
        state = await self.people[1].call("GET", path(self.room_id, "state"))
        now = {one["state_key"]: one["event_id"] for one in state if one["type"] == "m.room.member"}
        for event in timeline:
            member = known.get(("m.room.member", event["sender"]))
            assert member is not None, event
            assert member["event_id"] == now[event["sender"]], (event, member)


@pytest.mark.parametrize("seed", range(6))
async def test_whoever_speaks_is_known(
    seed: int, nobody: Client, alice: Client, bob: Client, carol: Client
) -> None:
    dice = random.Random(seed)
    others = [bob, carol, *[await nobody.register(f"other{number}") for number in range(4)]]
    room_id = await create(alice, *others, preset="public_chat", name="Hall")
    story = Story(dice, room_id, [alice, *others], Follower(alice), Slider(alice))
    seldom = [story.come_or_go, story.begin_anew, story.change]
    often = [story.speak, story.rename, story.lose, story.follow, story.slide]
    for _ in range(STEPS):
        await dice.choice([*often, *often, *often, *seldom])()

"""Random stories: whatever a client looks at meanwhile, in the end it knows what one that follows by /sync knows."""

import json
import random
from typing import Any

import pytest

from homeserver.lifecycle import Running
from tests.api.matrix.driver import Client
from tests.api.matrix.roomkit import create, path, say
from tests.api.matrix.slidekit import ALL_STATE, PATH, Slider, a_list, ids
from tests.api.matrix.synckit import Follower

STEPS = 40
EXTENSIONS = {name: {"enabled": True} for name in ("account_data", "receipts", "typing")}


class Story:
    """What alice does with her rooms, in which bob may be."""

    def __init__(self, alice: Client, bob: Client, dice: random.Random) -> None:
        self.alice, self.bob, self.dice = alice, bob, dice
        self.rooms: list[str] = []
        self.step = 0

    async def go_on(self) -> None:
        self.step += 1
        happenings = (
            self.speak,
            self.speak,
            self.speak,
            self.name,
            self.begin,
            self.move,
            self.read,
            self.tag,
        )
        await self.dice.choice(happenings if self.rooms else (self.begin,))()

    def room(self) -> str:
        return self.dice.choice(self.rooms)

    async def begin(self) -> None:
        asked = {"invite": [self.bob.user_id]}
        self.rooms.append(await create(self.alice, **self.dice.choice(({}, asked, asked))))

    async def speak(self) -> None:
        room_id = self.room()
        for number in range(self.dice.randint(1, 4)):
            await say(self.alice, room_id, f"{self.step} {number}")

    async def name(self) -> None:
        kind = self.dice.choice(("name", "topic"))
        await self.alice.call("PUT", path(self.room(), f"state/m.room.{kind}"), body={kind: f"{self.step}"})

    async def move(self) -> None:
        """Bob comes or goes, as far as he may."""
        room_id = self.room()
        state = await self.alice.call("GET", path(room_id, "state"))
        own = [
            one for one in state if one["type"] == "m.room.member" and one["state_key"] == self.bob.user_id
        ]
        body = {"user_id": self.bob.user_id}
        match own[0]["content"]["membership"] if own else "leave":
            case "join":
                way = self.dice.choice(("leave", "kick", "ban"))
                who = self.bob if way == "leave" else self.alice
                await who.call("POST", path(room_id, way), body={} if way == "leave" else body)
            case "invite":
                way = self.dice.choice(("join", "join", "join", "leave"))
                await self.bob.call("POST", path(room_id, way), body={})
            case "ban":
                await self.alice.call("POST", path(room_id, "unban"), body=body)
            case _:
                await self.alice.call("POST", path(room_id, "invite"), body=body)

    async def read(self) -> None:
        for room_id in (await self.bob.call("GET", "joined_rooms"))["joined_rooms"][:1]:
            page = await self.bob.call("GET", path(room_id, "messages"), params={"dir": "b", "limit": "1"})
            at = path(room_id, f"receipt/m.read/{page['chunk'][0]['event_id']}")
            await self.bob.call("POST", at, body={})

    async def tag(self) -> None:
        at = f"user/{self.bob.user_id}/rooms/{self.room()}/account_data/org.story"
        await self.bob.call("PUT", at, body={"step": self.step})


def glance(dice: random.Random, story: Story) -> dict[str, Any]:
    """A request of a client that looks here and there."""
    state = dice.choice(([], [["m.room.name", ""]], [["m.room.member", "$LAZY"]], ALL_STATE))
    first = dice.randint(0, 3)
    lists = {"some": a_list([first, first + dice.randint(0, 2)], limit=dice.randint(0, 4), state=state)}
    subscribed = dice.sample(story.rooms, min(len(story.rooms), dice.randint(0, 2)))
    request = {"timeline_limit": dice.randint(0, 9), "required_state": dice.choice(([], ALL_STATE))}
    extensions = dice.choice((EXTENSIONS, EXTENSIONS, {}))
    return {
        "lists": lists,
        "room_subscriptions": dict.fromkeys(subscribed, request),
        "extensions": extensions,
    }


@pytest.mark.parametrize("seed", [8])
@pytest.mark.both
async def test_both_ways_lead_to_the_same(server: Running, nobody: Client, alice: Client, seed: int) -> None:
    dice = random.Random(seed)
    bob = await nobody.register("bob")
    story = Story(alice, bob, dice)
    following = Follower(bob, query={"filter": json.dumps({"room": {"timeline": {"limit": 50}}})})
    sliding, data = Slider(bob), dict[str, Any]()
    for _ in range(STEPS):
        await story.go_on()
        await following.sync()
        if dice.random() < 0.5:
            request = glance(dice, story)
            if sliding.pos and dice.random() < 0.3:  # an answer is lost
                await bob.call("POST", PATH, body=request, params={"pos": sliding.pos})
            if dice.random() < 0.3:  # another worker answers
                server.hs.sliding.connections._read.clear()
                server.hs.sliding.room_lists._room_lists.clear()
            answer = await sliding.sync(**request)
            data.update(answer["extensions"].get("account_data", {}).get("rooms", {}))
    whole: dict[str, Any] = {"lists": {"all": a_list(limit=5, state=ALL_STATE)}, "extensions": EXTENSIONS}
    answer = await sliding.sync(**whole)
    data.update(answer["extensions"]["account_data"]["rooms"])
    await following.sync()
    assert (await sliding.sync(**whole))["rooms"] == {}

    joined = (await bob.call("GET", "joined_rooms"))["joined_rooms"]
    assert {room for room, told in sliding.rooms.items() if told["membership"] == "join"} == set(joined)
    everything = await Follower(bob).sync()
    for room_id in joined:
        state = {key: one["event_id"] for key, one in following.state[room_id].items()}
        assert {key: one["event_id"] for key, one in sliding.state[room_id].items()} == state
        told = ids(sliding.events[room_id])
        assert told
        assert told == ids(following.events[room_id])[-len(told) :]
        room = everything["rooms"]["join"][room_id]
        unread = {name: sliding.rooms[room_id][name] for name in ("notification_count", "highlight_count")}
        assert unread == room["unread_notifications"]
        assert data.get(room_id, []) == room["account_data"]["events"]

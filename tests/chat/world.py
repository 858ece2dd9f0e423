"""People and rooms for tests of services, made in a line each."""

from homeserver.app import Homeserver
from homeserver.model import Person, Requester, Room
from homeserver.services.realtime.records import Record


async def person(hs: Homeserver, name: str) -> Requester:
    """A new account, as somebody who asks."""
    made: Person = await hs.accounts.accounts.create(
        display_name=name, email=f"{name.lower()}@example.org", password="correct horse battery"
    )
    return Requester(user_id=made.user_id, number=made.number, session_key=f"session of {name}")


async def group(hs: Homeserver, creator: Requester, *others: Requester, title: str = "Group") -> Room:
    """A new group."""
    numbers = [one.number for one in others]
    return await hs.rooms.rooms.create(creator, kind="group", title=title, people=numbers)


class Watch:
    """A watcher of the feed that keeps what it is given."""

    def __init__(self, hs: Homeserver) -> None:
        self.records: list[Record] = []
        self.stop = hs.realtime.feed.watch(self)

    def wants(self, room_id: str) -> bool:
        return True

    def deliver(self, record: Record) -> None:
        self.records.append(record)

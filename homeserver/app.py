"""The composition root: what there is, in the order in which each part can be built.

`build` makes the parts of a server and starts nothing; `make_app` puts the faces on them; `running` brings both to
life and down again. A constructor takes only what stands above it here, so the order proves that there is no cycle.
"""

from dataclasses import dataclass

from aiohttp.abc import AbstractResolver

from homeserver.clock import Clock, SystemClock
from homeserver.services.chat import Chat
from homeserver.services.e2ee.encryption import Encryption, make_encryption
from homeserver.services.moderation.wordlist import WordList
from homeserver.services.notify.service import Notifications
from homeserver.services.push.service import Push
from homeserver.settings.models import Settings
from homeserver.wiring.chat import Safety, build_chat, build_moderation, build_push
from homeserver.wiring.core import Core, build_core
from homeserver.wiring.files import Storehouse, build_files
from homeserver.wiring.matrix import Proofs, RawRooms, build_proofs, build_raw_rooms
from homeserver.wiring.notify import build_notifications
from homeserver.wiring.people import People, build_people
from homeserver.wiring.searching import Searching, build_searching
from homeserver.wiring.sync import Following, Keeping, build_following, build_keeping


@dataclass(frozen=True, slots=True)
class Homeserver:
    """All parts of one server."""

    settings: Settings
    core: Core
    people: People
    proofs: Proofs
    files: Storehouse
    chat: Chat
    e2ee: Encryption
    raw: RawRooms
    keeping: Keeping
    following: Following
    notifications: Notifications
    searching: Searching
    push: Push
    safety: Safety


def build(
    settings: Settings, *, clock: Clock | None = None, resolver: AbstractResolver | None = None
) -> Homeserver:
    """Build a server. Makes the keys at the first start; touches neither the network nor the database.

    `resolver` finds the addresses of web pages; the system's if there is none.
    """
    core = build_core(settings, clock or SystemClock())
    people = build_people(settings, core)
    words = WordList(settings.moderation)
    chat = build_chat(settings, core, people, words)
    e2ee = make_encryption(
        db=core.db,
        timeline=core.timeline,
        clock=core.clock,
        limits=people.limits,
        settings=settings.e2ee,
        server_name=settings.server.name,
    )
    keeping = build_keeping(settings, core, chat)
    raw = build_raw_rooms(settings, core, people, chat, [keeping.rules], keeping.data)
    return Homeserver(
        settings=settings,
        core=core,
        people=people,
        proofs=build_proofs(settings, core, people),
        files=build_files(settings, core, people, resolver),
        chat=chat,
        e2ee=e2ee,
        raw=raw,
        keeping=keeping,
        following=build_following(settings, core, chat, raw, keeping, e2ee),
        notifications=build_notifications(settings, core, people, keeping),
        searching=build_searching(settings, core, people, chat, raw, keeping),
        push=build_push(settings, core, people, chat),
        safety=Safety(words, build_moderation(core, chat)),
    )

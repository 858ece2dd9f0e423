"""Reports, what the word list tells, and what the admins do about it."""

from pathlib import Path
from uuid import uuid4

import pytest

from homeserver.app import Homeserver
from homeserver.errors import Conflict, Forbidden, NotFound
from homeserver.metrics import spending
from homeserver.model import Message, Page, Requester, Room
from homeserver.protocol.ids import EventId
from homeserver.services.moderation.reports import Report
from tests.chat.test_blocks import FILE, code, enquire, private
from tests.chat.world import ByIds, Watch, enquiry, group, person
from tests.http.kit import until


async def listed(hs: Homeserver, *, with_closed: bool = False) -> list[Report]:
    return await hs.moderation.reports.listing(Page(100), with_closed=with_closed)


async def trio(hs: Homeserver) -> tuple[Requester, Requester, Room, Message]:
    """Alice, Bob, a group of theirs, and what Bob said there."""
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    room = await group(hs, alice, bob, title="Class")
    return alice, bob, room, await ByIds(hs).send(bob, room.room_id, text="something bad")


async def test_a_report_tells_the_admins_who_said_what_where(hs: Homeserver) -> None:
    alice, bob, room, said = await trio(hs)
    stranger = await person(hs, "Stranger")
    reports = hs.moderation.reports
    assert await code(reports.report(stranger, said.event_id)) == "message_not_found"
    assert await code(reports.report(bob, said.event_id)) == "own_message"
    assert await code(reports.report(alice, said.event_id, "x" * 501)) == "reason_too_long"
    assert await listed(hs) == []
    for reason in ("rude\n\u202eto me", "again"):
        await reports.report(alice, said.event_id, reason)
    (report,) = await listed(hs)
    assert report.sender is not None
    assert report.reporter is not None
    assert (report.sender.number, report.reporter.number) == (bob.number, alice.number)
    assert (report.text, report.room_name, report.row.room_id) == ("something bad", "Class", room.room_id)
    assert report.row.reason == "rude to me", "one line, and the first one stays"
    assert await code(reports.close(report.row.report_id, "x" * 501)) == "outcome_too_long"
    await reports.close(report.row.report_id, "talked to Bob")
    assert await code(reports.close(report.row.report_id)) == "report_not_found"
    await reports.report(alice, said.event_id, "still there")
    assert await listed(hs) == []
    (closed,) = await listed(hs, with_closed=True)
    assert (closed.row.outcome, closed.row.closed_ms is not None) == ("talked to Bob", True)


async def test_a_list_of_reports_costs_the_same_for_one_and_for_many(hs: Homeserver) -> None:
    alice, bob, room, said = await trio(hs)
    costs = []
    for _ in range(2):
        await hs.moderation.reports.report(alice, said.event_id)
        with spending() as spent:
            await listed(hs)
        costs.append(spent.statements)
        for n in range(3):
            said = await ByIds(hs).send(bob, room.room_id, text=str(n))
            await hs.moderation.reports.report(alice, said.event_id)
    assert costs == [3, 3]


@pytest.fixture
def words(tmp_path: Path) -> Path:
    path = tmp_path / "words.txt"
    path.write_text("casino\nreport: взлом\n")
    return path


@pytest.fixture
def overrides(words: Path) -> dict[str, object]:
    return {"moderation": {"word_list": words, "word_list_interval_s": 0.05}}


async def test_the_list_holds_for_all_that_people_say_and_for_nothing_else(hs: Homeserver) -> None:
    alice, bob, room, said = await trio(hs)
    messages = ByIds(hs)
    for way in (
        messages.send(alice, room.room_id, text="Casino"),
        messages.send_file(alice, room.room_id, file=FILE, text="casino"),
        messages.edit(bob, said.event_id, text="a casino"),
    ):
        assert await code(way) == "word_refused"
    assert len(await messages.page(alice, room.room_id, limit=9)) == 1
    chat = await enquire(hs, alice, bob)
    called = await enquiry(hs, alice, chat.room_id)
    await hs.enquiries.enquiries.call_help(called, "the casino's support is called")


async def test_what_passes_and_is_told_lands_in_the_list_with_the_message(hs: Homeserver) -> None:
    _, bob, room, said = await trio(hs)
    messages = ByIds(hs)
    sent = await messages.send(bob, room.room_id, text="Взлом!", txn_id="a")
    assert (await messages.send(bob, room.room_id, text="Взлом!", txn_id="a")).event_id == sent.event_id
    await messages.send_file(bob, room.room_id, file=FILE, text="взлом")
    await messages.edit(bob, said.event_id, text="now взлом too")
    found = await listed(hs)
    assert [(one.row.event_id, one.text) for one in found[::2]] == [
        (sent.event_id, "Взлом!"),
        (said.event_id, "now взлом too"),
    ]
    assert found[1].text == "взлом a.txt"
    assert {(one.row.reporter, one.reporter, one.row.reason) for one in found} == {
        ("", None, "word list: взлом")
    }
    await hs.moderation.reports.close(found[0].row.report_id)
    await messages.edit(bob, sent.event_id, text="взлом, взлом")
    assert sent.event_id in {one.row.event_id for one in await listed(hs)}, "it is opened again"


async def test_a_changed_list_is_taken_over_while_the_server_runs(hs: Homeserver, words: Path) -> None:
    alice, _, room, _ = await trio(hs)
    send = ByIds(hs).send
    words.write_text("a new word, and another length\n")

    def taken_over() -> bool:
        try:
            return hs.moderation.word_list.check("a new word and another length") is not None
        except Forbidden:
            return True

    await until(taken_over)
    assert await code(send(alice, room.room_id, text="casino")) == ""
    assert await code(send(alice, room.room_id, text="A new word - and another length")) == "word_refused"


async def test_a_removed_message_is_gone_with_its_files_for_all(hs: Homeserver) -> None:
    alice, bob, room, said = await trio(hs)
    await ByIds(hs).attach(bob, said.event_id, FILE)
    await ByIds(hs).edit(bob, said.event_id, text="another text")
    await hs.moderation.reports.report(alice, said.event_id)
    watch = Watch(hs)
    await hs.admin.rooms.remove_message(said.event_id)
    await until(lambda: any(type(one).__name__ == "MessageDeleted" for one in watch.records))
    assert await ByIds(hs).page(alice, room.room_id, limit=9) == []
    assert await listed(hs) == []
    (closed,) = await listed(hs, with_closed=True)
    assert (closed.text, closed.row.outcome) == (None, "message removed")
    for gone in (said.event_id, EventId("$none")):
        with pytest.raises(NotFound):
            await hs.admin.rooms.remove_message(gone)


async def test_the_server_may_remove_and_close_whoever_is_left(hs: Homeserver) -> None:
    """In a private room whose maker left, and in one of a guest and a seller."""
    alice, bob = await person(hs, "Alice"), await person(hs, "Bob")
    guest = (await hs.enquiries.guests.enter(str(uuid4()))).requester
    room_id, chat = await private(hs, alice, bob), await enquire(hs, guest, bob)
    said = [await ByIds(hs).send(alice, room_id, text="bad")]
    said.append(await ByIds(hs).send(guest, chat.room_id, text="bad"))
    words = [await ByIds(hs).send(bob, one.room_id, text="last words") for one in said]
    await hs.rooms.members.leave(alice, room_id)
    for one, last in zip(said, words, strict=True):
        await hs.admin.rooms.remove_message(one.event_id)
        (left,) = await ByIds(hs).page(bob, one.room_id, limit=9)
        assert left.text == "last words"
        await hs.admin.rooms.close_room(one.room_id)
        assert await code(ByIds(hs).send(bob, one.room_id, text="?")) == "room_not_found"
        with pytest.raises(Conflict):
            await hs.admin.rooms.close_room(one.room_id)
        with pytest.raises(Conflict):
            await hs.admin.rooms.remove_message(last.event_id)
    assert await hs.rooms.rooms.listing(bob, page=Page(9)) == []


@pytest.mark.parametrize("overrides", [{"rate_limits": {"enabled": True}, "moderation": {"repeat_count": 2}}])
async def test_repetition_is_seen_over_rooms_and_in_edits(hs: Homeserver) -> None:
    alice, bob, room, said = await trio(hs)
    other = await group(hs, bob, title="Other")
    send = ByIds(hs).send
    assert await code(send(bob, other.room_id, text="something bad")) == ""
    assert await code(send(bob, room.room_id, text="Something bad!")) == "repeated_message"
    assert await code(ByIds(hs).edit(bob, said.event_id, text="something: bad")) == "repeated_message"
    assert await code(send(alice, room.room_id, text="something bad")) == ""

"""Bringing tables up to date, or refusing to."""

import asyncio
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL, make_url

from homeserver.protocol.ids import UserId
from homeserver.storage.accountdata import GONE, DataKey, size_of
from homeserver.storage.migrate import SchemaBehind, alembic_config, upgrade
from homeserver.timeline.build import annotation_of
from tests.databases import POSTGRES, Databases


@pytest.fixture
def empty_url(databases: Databases, database_kind: str, tmp_path: Path) -> URL:
    """A database without any table."""
    if database_kind == "sqlite":
        return make_url(f"sqlite:///{tmp_path / 'empty.db'}")
    return databases.empty()


async def test_an_empty_database_gets_its_tables_once(empty_url: URL) -> None:
    assert await upgrade(empty_url)
    assert not await upgrade(empty_url)


async def test_workers_that_start_together_do_not_clash(empty_url: URL) -> None:
    await asyncio.gather(*(upgrade(empty_url) for _ in range(3)))
    assert not await upgrade(empty_url)


async def test_an_upgrade_can_be_forbidden(empty_url: URL) -> None:
    with pytest.raises(SchemaBehind):
        await upgrade(empty_url, allowed=False)
    assert await upgrade(empty_url)
    assert not await upgrade(empty_url, allowed=False)


async def test_tables_of_a_newer_program_are_left_alone(empty_url: URL) -> None:
    await upgrade(empty_url)
    driver = "postgresql+psycopg" if POSTGRES and empty_url.get_backend_name() != "sqlite" else "sqlite"
    engine = create_engine(empty_url.set(drivername=driver))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaBehind):
        await upgrade(empty_url)


def test_host_profiles_move_to_their_own_table_and_back(empty_url: URL) -> None:
    driver = "sqlite" if empty_url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(empty_url.set(drivername=driver))
    with engine.connect() as connection:
        command.upgrade(alembic_config(connection), "0017")
        connection.execute(
            text(
                "INSERT INTO users (number, user_id, display_name, created_ms, first_name, study_group) VALUES"
                " (1, '@anna:a', 'Anna', 1, 'Anna', 'A1'), (2, '@bob:a', 'Bob', 1, '', '')"
            )
        )
        connection.commit()
        command.upgrade(alembic_config(connection), "0018")
        connection.commit()
        told = "SELECT user_id, first_name, study_group, job FROM host_profiles"
        assert rows(connection, told) == [("@anna:a", "Anna", "A1", "")], "only who has any"
        command.downgrade(alembic_config(connection), "0017")
        connection.commit()
        told = "SELECT user_id, first_name, study_group, job FROM users ORDER BY number"
        assert rows(connection, told) == [("@anna:a", "Anna", "A1", ""), ("@bob:a", "", "", "")]
        command.upgrade(alembic_config(connection), "head")
        connection.commit()
    engine.dispose()


def test_transaction_ids_leave_their_event_types(empty_url: URL) -> None:
    driver = "sqlite" if empty_url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(empty_url.set(drivername=driver))
    before = [
        ("s", "!a:b", "m.room.message 1 2"),
        ("s", "!a:b", "redact/$x 1"),
        ("s", "!a:b", "notice 1"),
        ("s", "!a:b", "client-id"),
        ("enquiry help", "!a:b", "called 1"),
        ("s", "to-device org.a b", "c d"),
    ]
    after = [
        ("enquiry help", "!a:b", "", "called 1"),
        ("s", "", "to-device/org.a b", "c d"),
        ("s", "!a:b", "", "client-id"),
        ("s", "!a:b", "notice", "1"),
        ("s", "!a:b", "redact/$x", "1"),
        ("s", "!a:b", "send/m.room.message", "1 2"),
    ]
    with engine.connect() as connection:
        command.upgrade(alembic_config(connection), "0019")
        for one in before:
            values = dict(zip(("session", "room", "txn"), one, strict=True))
            connection.execute(
                text("INSERT INTO transactions VALUES (:session, :room, :txn, '$x', 1)"), values
            )
        connection.commit()
        command.upgrade(alembic_config(connection), "head")
        connection.commit()
        found = rows(connection, "SELECT session_key, room_id, scope, txn_id FROM transactions")
        assert sorted(map(str, found)) == sorted(map(str, after))
    engine.dispose()


def test_account_data_is_counted(empty_url: URL) -> None:
    driver = "sqlite" if empty_url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(empty_url.set(drivername=driver))
    kept = [
        DataKey(UserId("@anna:a"), "", "org.größe"),
        DataKey(UserId("@anna:a"), "!r:a", "m.tag"),
        DataKey(UserId("@bob:a"), "!r:a", "m.gone"),
    ]
    contents = ['{"a":"ü"}'.encode(), b'{"tags":{}}', GONE]
    with engine.connect() as connection:
        command.upgrade(alembic_config(connection), "0020")
        add = text(
            "INSERT INTO account_data (user_id, room_id, type, content, position) VALUES (:u, :r, :t, :c, 1)"
        )
        for (user_id, room_id, kind), content in zip(kept, contents, strict=True):
            connection.execute(add, {"u": user_id, "r": room_id, "t": kind, "c": content})
        connection.commit()
        command.upgrade(alembic_config(connection), "head")
        connection.commit()
        total = size_of(kept[0], contents[0]) + size_of(kept[1], contents[1])
        told = rows(connection, "SELECT user_id, items, bytes FROM account_data_totals")
        assert told == [("@anna:a", total.items, total.bytes)], "as new data is counted"
    engine.dispose()


# What it is an edit or annotation of, its content, its state key.
OLD_EVENTS: dict[str, tuple[str, str, str | None]] = {
    "message": ("", "{}", None),
    "edit": ("message", '{"m.new_content": {}}', None),
    "empty edit": ("message", '{"body": "x"}', None),
    "edit of an edit": ("edit", '{"m.new_content": {}}', None),
    "state": ("", "{}", ""),
    "edit of state": ("state", '{"m.new_content": {}}', None),
    "reaction": ("message", '{"m.relates_to": {"key": "+1"}}', None),
    "the same": ("message", '{"m.relates_to": {"key": "+1"}}', None),
    "another": ("message", '{"m.relates_to": {"key": ["+1"]}}', None),
}
OLD_EDITS = {"message": "empty edit", "edit": "edit of an edit", "state": "edit of state"}


def add_old_events(connection: Connection) -> None:
    for number, (name, (target, content, state_key)) in enumerate(OLD_EVENTS.items()):
        values = {
            "id": name,
            "target": target,
            "rel": "m.replace" if "edit" in name else "m.annotation",
            "key": state_key,
            "by": OLD_EDITS.get(name),
            "pdu": f'{{"content": {content}}}'.encode(),
            "n": number,
        }
        connection.execute(
            text(
                "INSERT INTO events (event_id, room_id, type, state_key, sender, depth, origin_server_ts,"
                " status, edited_by, pdu) VALUES (:id, '!a:b', 'm', :key, '@a:b', 1, 1, 0, :by, :pdu)"
            ),
            values,
        )
        if target:
            connection.execute(
                text("INSERT INTO relations VALUES (:id, '!a:b', :target, :rel, '@a:b', :n)"), values
            )


def test_edits_that_replace_nothing_are_taken_back(empty_url: URL) -> None:
    driver = "sqlite" if empty_url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(empty_url.set(drivername=driver))
    with engine.connect() as connection:
        command.upgrade(alembic_config(connection), "0021")
        add_old_events(connection)
        connection.commit()
        command.upgrade(alembic_config(connection), "head")
        connection.commit()
        edited = rows(connection, "SELECT event_id, edited_by FROM events WHERE edited_by IS NOT NULL")
        assert edited == [("message", "edit")]
        empty = rows(connection, "SELECT event_id FROM relations WHERE NOT has_content")
        assert empty == [("empty edit",)]
        told = "SELECT event_id FROM relations WHERE annotation IS NOT NULL ORDER BY event_id"
        assert rows(connection, told) == [("reaction",), ("the same",)]
        relation = {"rel_type": "m.annotation", "event_id": "message", "key": "+1"}
        digest = annotation_of(UserId("@a:b"), "m", {"m.relates_to": relation})
        assert sorted(rows(connection, "SELECT DISTINCT annotation FROM relations"), key=str) == [
            (digest,),
            (None,),
        ]
    engine.dispose()


def rows(connection: Connection, query: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in connection.execute(text(query))]


def test_members_know_where_they_joined(empty_url: URL) -> None:
    driver = "sqlite" if empty_url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(empty_url.set(drivername=driver))
    member = (
        "INSERT INTO members (room_id, user_id, membership, sender, event_id, position, joined_ms)"
        " VALUES ('!r', :user, :membership, :user, '$x', :position, 20)"
    )
    event = (
        "INSERT INTO events (event_id, room_id, position, type, state_key, sender, depth, origin_server_ts, status,"
        " pdu) VALUES (:id, '!r', :position, 'm.room.member', '@anna:a', '@anna:a', 1, :ms, 0, :pdu)"
    )
    with engine.connect() as connection:
        command.upgrade(alembic_config(connection), "0022")
        for user, membership, position in (
            ("@anna:a", "join", 9),
            ("@bob:a", "join", 5),
            ("@eve:a", "leave", 7),
        ):
            values = {"user": user, "membership": membership, "position": position}
            connection.execute(text(member), values)
        for place, ms in ((2, 10), (4, 20), (9, 30)):  # invited, joined, renamed
            connection.execute(text(event), {"id": f"${place}", "position": place, "ms": ms, "pdu": b"{}"})
        connection.commit()
        command.upgrade(alembic_config(connection), "head")
        connection.commit()
        found = rows(connection, "SELECT user_id, joined_position FROM members ORDER BY user_id")
        assert found == [("@anna:a", 4), ("@bob:a", 5), ("@eve:a", 0)]
    engine.dispose()


def test_texts_are_indexed_and_folded_anew(empty_url: URL) -> None:
    driver = "sqlite" if empty_url.get_backend_name() == "sqlite" else "postgresql+psycopg"
    engine = create_engine(empty_url.set(drivername=driver))
    with engine.connect() as connection:
        command.upgrade(alembic_config(connection), "0024")
        connection.execute(text("INSERT INTO search_texts VALUES (1, '!r', '@a:a', 'content.body', 'old')"))
        connection.execute(text("INSERT INTO cursors VALUES ('search', 7), ('other', 7)"))
        for number, name in enumerate(("مُحَمَّد", "anna", "\u064e")):
            values = {"number": number, "id": f"@{number}:a", "name": name}
            statement = (
                "INSERT INTO users (number, user_id, display_name, created_ms, search_text)"
                " VALUES (:number, :id, :name, 1, :name)"
            )
            connection.execute(text(statement), values)
        connection.commit()
        command.upgrade(alembic_config(connection), "head")
        connection.commit()
        assert rows(connection, "SELECT * FROM cursors ORDER BY consumer") == [("other", 7), ("search", 0)]
        assert rows(connection, "SELECT * FROM search_texts") == []
        found = rows(connection, "SELECT search_text FROM users ORDER BY number")
        assert found == [("محمد",), ("anna",), ("\u064e",)]
        connection.execute(text("INSERT INTO search_texts VALUES (2, '!r', '@a:a', 'content.body', 'new')"))
        connection.execute(text("DELETE FROM search_texts"))
    engine.dispose()

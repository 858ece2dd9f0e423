"""Profiles: loaded in bulk, changed by their owners, found by others."""

import asyncio

import pytest

from homeserver.errors import Conflict, Invalid, NotFound
from homeserver.folding import fold
from homeserver.model import Page, Requester
from homeserver.protocol.ids import UserId
from tests.services.people import People


async def test_people_are_loaded_with_one_statement_and_then_none(people: People) -> None:
    made = [await people.register(name) for name in ("Ann", "Ben", "Cat")]
    wanted = [one.user_id for one in made] + [UserId("@nobody:test.example")]
    before = people.db.statements
    assert await people.profiles.people(wanted) == {one.user_id: one for one in made}
    assert people.db.statements == before + 1
    assert await people.profiles.by_numbers([1, 2, 3]) == {1: made[0], 2: made[1], 3: made[2]}
    assert await people.profiles.people(wanted[:3]) == {one.user_id: one for one in made}
    assert people.db.statements == before + 1
    assert await people.profiles.by_numbers([99]) == {}


async def test_a_change_is_seen_by_every_worker(people: People, elsewhere: People) -> None:
    alice = await people.requester("Alice")
    assert (await elsewhere.profiles.own(alice)).display_name == "Alice"
    changed = await people.profiles.update(
        alice, display_name=" Алиса\n", tag="Wonder_land", avatar_url="https://example.org/a.png"
    )
    assert (changed.display_name, changed.tag, changed.avatar_url) == (
        "Алиса",
        "wonder_land",
        "https://example.org/a.png",
    )
    assert changed.email == "alice@example.org"
    await elsewhere.hear()
    assert await elsewhere.profiles.own(alice) == changed
    assert await people.profiles.own(alice) == changed


async def test_what_is_not_named_stays_and_nothing_new_is_no_news(people: People) -> None:
    alice = await people.requester("Alice")
    await people.profiles.update(alice, avatar_url="/media/x/y")
    position = people.writing.live.position
    again = await people.profiles.update(alice, display_name="Alice", tag="alice", avatar_url="/media/x/y")
    assert people.writing.live.position == position
    assert again.avatar_url == "/media/x/y"
    assert (await people.profiles.update(alice, avatar_url="")).avatar_url == ""


async def test_two_changes_at_once_lose_nothing(people: People, elsewhere: People) -> None:
    alice = await people.requester("Alice")
    await asyncio.gather(
        people.profiles.update(alice, display_name="Alicia"),
        elsewhere.profiles.update(alice, avatar_url="https://example.org/a.png"),
        elsewhere.profiles.update(alice, tag="alicia"),
    )
    await people.hear()
    found = await people.profiles.own(alice)
    assert (found.display_name, found.avatar_url, found.tag) == (
        "Alicia",
        "https://example.org/a.png",
        "alicia",
    )
    bob = await people.requester("Bob")
    assert await people.directory.page(bob, text="ALICIA", page=Page(10)) == [found]


async def test_a_tag_has_one_owner(people: People, elsewhere: People) -> None:
    names = [await people.requester(name) for name in ("Ann", "Ben", "Cat", "Dan")]
    results = await asyncio.gather(
        *(
            worker.profiles.update(one, tag="the-one")
            for one, worker in zip(names, (people, elsewhere) * 2, strict=True)
        ),
        return_exceptions=True,
    )
    assert sum(not isinstance(one, BaseException) for one in results) == 1
    assert [one.code for one in results if isinstance(one, Conflict)] == ["tag_in_use"] * 3


async def test_a_bad_wish_changes_nothing(people: People) -> None:
    alice = await people.requester("Alice")
    before = await people.profiles.own(alice)
    for request, code in [
        ({"display_name": " \n"}, "empty_name"),
        ({"display_name": "x" * 101}, "name_too_long"),
        ({"tag": "no spaces"}, "bad_tag"),
        ({"tag": ""}, "bad_tag"),
        ({"avatar_url": "javascript:alert(1)"}, "bad_url"),
        ({"avatar_url": "data:image/png;base64,x"}, "bad_url"),
        ({"avatar_url": "//evil.example/a"}, "bad_url"),
        ({"avatar_url": 'https://a.example/"onload="x'}, "bad_url"),
        ({"avatar_url": "https://user:pass@a.example/"}, "bad_url"),
        ({"avatar_url": "https://[::1"}, "bad_url"),
        ({"avatar_url": "https://a.example/" + "x" * 2000}, "bad_url"),
    ]:
        with pytest.raises(Invalid) as refused:
            await people.profiles.update(alice, **request)
        assert refused.value.code == code
        people.profiles._people.clear()
        assert await people.profiles.own(alice) == before


async def test_people_are_found_by_words_in_any_script(people: People) -> None:
    seeker = await people.requester("Seeker")
    for n, name in enumerate(
        ["Анна Фёдорова", "Anna Weiß", "山田 太郎", "İpek Şahin", "100% Real_Name\\", "Αλέξης"]
    ):
        await people.register(name, email=f"p{n}@example.org", tag=f"person-{n}")

    async def found(wanted: str) -> list[str]:
        return [one.display_name for one in await people.directory.page(seeker, text=wanted, page=Page(10))]

    assert await found("анна") == ["Анна Фёдорова"]
    assert await found("ФЕДОРОВА анна") == ["Анна Фёдорова"]
    assert await found("WEISS") == ["Anna Weiß"]
    assert await found("太郎") == ["山田 太郎"]
    assert await found("şahi") == ["İpek Şahin"]
    assert await found("ΑΛΈΞΗΣ") == ["Αλέξης"]
    assert await found("person-3") == ["İpek Şahin"]
    assert await found("100%") == ["100% Real_Name\\"]
    assert await found("l_n") == ["100% Real_Name\\"]
    assert await found("\\") == ["100% Real_Name\\"]
    assert await found("%%") == await found("___") == []
    assert len(await found(" \0 ")) == 6  # no word: everybody but oneself
    assert await found("seeker") == []
    assert await found("a b c d e f " * 100) == []


async def test_search_is_paged_and_leaves_out_who_is_shut_out(people: People) -> None:
    seeker = await people.requester("Seeker")
    made = [await people.register(f"Person {n}", email=f"p{n}@example.org") for n in range(5)]
    await people.accounts.suspend(made[1].user_id)
    await people.accounts.deactivate(made[2].user_id)
    pages = [
        [one.display_name for one in await people.directory.page(seeker, text="person", page=Page(2, offset))]
        for offset in (0, 2)
    ]
    assert pages == [["Person 0", "Person 3"], ["Person 4"]]


async def test_a_change_between_the_look_and_the_cache_is_not_missed(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    from homeserver.storage import accounts as stored

    alice = await people.requester("Alice")
    context = stored.people_of
    changed = False

    async def look_then_change(conn: object, user_ids: object) -> object:
        nonlocal changed
        found = await context(conn, user_ids)  # type: ignore[arg-type]  # handed through
        if not changed:
            changed = True
            await people.profiles.change(alice.user_id, {"display_name": "Later"})
        return found

    monkeypatch.setattr(stored, "people_of", look_then_change)
    await people.profiles.people([alice.user_id])
    assert (await people.profiles.own(alice)).display_name == "Later"


async def test_nobody_has_no_profile(people: People) -> None:
    ghost = Requester(UserId("@ghost:test.example"), 99, "x")
    with pytest.raises(NotFound):
        await people.profiles.own(ghost)
    with pytest.raises(NotFound):
        await people.profiles.update(ghost, display_name="Ghost")


def test_folding_is_stable() -> None:
    for word in ("Weiß", "ΑΛΈΞΗΣ", "Ёлка", "İpek", "ﬁne", "ＡＢＣ"):
        assert fold(fold(word)) == fold(word)

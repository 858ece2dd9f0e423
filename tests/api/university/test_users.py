"""People one can write to."""

import aiohttp
import pytest

from homeserver.api.university import schemas
from tests.api.driver import User, email, register
from tests.api.university.test_conversations import conforms

pytestmark = pytest.mark.own_server


@pytest.mark.both
async def test_people_are_found_by_name_and_hide_their_contacts(alice: User, bob: User, carol: User) -> None:
    everybody = await alice.chat("GET", "users/chat-users/")
    for one in everybody:
        conforms(schemas.ChatUser, one)
    assert {one["id"] for one in everybody} == {bob.id, carol.id}
    found = await alice.chat("GET", "users/chat-users?search=BO")
    assert found == [
        {
            "id": bob.id,
            "first_name": "Bob",
            "last_name": "",
            "middle_name": "",
            "avatar": "",
            "role": "",
            "position": "",
            "email": "",
            "bio": "",
            "number_phone": "",
            "telegram_username": "",
            "group": "",
        }
    ]
    assert len(await alice.chat("GET", "users/chat-users/?limit=1")) == 1
    assert len(await alice.chat("GET", "users/chat-users/?limit=1&offset=2")) == 0
    for bad in ("limit=0", "limit=1000", "offset=x", "search=" + "x" * 201):
        await alice.chat("GET", f"users/chat-users/?{bad}", 422)


@pytest.mark.parametrize("overrides", [{"university": {"show_contacts": True}}])
async def test_contacts_are_shown_where_the_settings_say_so(alice: User, bob: User) -> None:
    (found,) = await alice.chat("GET", "users/chat-users/?search=bob")
    assert (found["id"], found["email"]) == (bob.id, email("Bob"))


async def test_people_are_found_as_their_names_are_typed(client: aiohttp.ClientSession, alice: User) -> None:
    """By plain letters and by their own, in the list of people and of conversations, by each API."""
    for name, terms in (
        ("İbrahim Işık", ("ibrahim", "isik", "İbrahim", "ışık")),
        ("Çağla", ("cagla", "ÇAĞLA")),
        ("José O’Brien", ("jose", "o'brien", "O’Brien", "obrien")),
        ("Łukasz Müller", ("lukasz muller", "Müller")),
    ):
        person = await register(client, name, email=email(terms[0][:4]))
        await alice.private(person)
        for term in terms:
            query = {"search": term}
            found = await alice.chat("GET", "users/chat-users/", params=query)
            assert person.id in [one["id"] for one in found], term
            found = await alice.call("GET", "/api/v1/users", params=query)
            assert person.id in [one["id"] for one in found], term
            listed = await alice.chat("GET", "conversations/", params=query)
            assert [one["title"] for one in listed] == [name], term
    plain = await register(client, "Ibrahim Plain", email=email("named"))
    found = await alice.chat("GET", "users/chat-users/", params={"search": "İbrahim"})
    assert plain.id in [one["id"] for one in found]

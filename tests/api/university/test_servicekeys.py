"""A portal's own servers act for its people with a service key and X-Act-For."""

import aiohttp
import pytest

from homeserver.lifecycle import Running
from tests.api.driver import API, CHAT, User
from tests.api.university.test_auth import PORTAL, student

OVERRIDES = {"issuers": [PORTAL], "university": {"service_key_issuer": "portal"}}


async def key_of(server: Running, scope: str = "university") -> str:
    return (await server.hs.auth.service_keys.create("portal", scope)).secret


@pytest.mark.parametrize("overrides", [OVERRIDES])
@pytest.mark.both
async def test_the_portals_server_writes_as_its_people(
    server: Running, client: aiohttp.ClientSession, alice: User
) -> None:
    key = await key_of(server)

    def acting(number: int | str, secret: str = key) -> dict[str, str]:
        return {"X-Service-Key": secret, "X-Act-For": str(number)}

    ivan, nobody = student(client, 1, "Иван"), User(client, "", 0)
    group = await ivan.group()
    body = {"conversation_id": group["id"], "text": "The exam is on Monday."}
    said = await nobody.chat("POST", "messages/", headers=acting(1), json=body)
    assert said["sender_id"] == 1
    assert await ivan.texts(group) == ["The exam is on Monday."]
    listed = f"{CHAT}/conversations/"
    assert await nobody.call("GET", listed, headers=acting(77)) == [], "a person who never was here"
    await nobody.call("GET", listed, 404, headers=acting(alice.id + 2**52))
    await nobody.call("GET", f"{CHAT}/messages/{group['id']}", 404, headers=acting(77))
    for headers in (
        acting(1, await key_of(server, "messenger")),
        acting(1, key + "x"),
        {"X-Service-Key": key},
        {"X-Act-For": "1"},
        {"X-Act-For": "1", "X-Service-Key": ""},
        acting("one"),
    ):
        status = 422 if headers.get("X-Service-Key") == key else 401
        await ivan.call("GET", listed, status, headers=headers)  # never by the token instead
    await nobody.call("GET", f"{API}/chats/", 401, headers=acting(1))
    messenger = acting(1, await key_of(server, "messenger"))
    assert await nobody.code("GET", f"{API}/chats/", 401, headers=messenger) == "bad_service_key"
    async with client.ws_connect(f"{CHAT}/ws/conversations/{group['id']}/", headers=acting(1)) as ws:
        assert (await ws.receive()).data == 1008

"""Who has no session any more changes the password, or closes the account, with the password alone."""

from typing import Any

import pytest

from homeserver.lifecycle import Running
from homeserver.protocol.ids import UserId
from tests.api.matrix.driver import CLIENT, PASSWORD, Client, login

NEW = "another horse battery"
WISH = {"new_password": NEW}
PASSWORD_CALL, CLOSE_CALL = "account/password", "account/deactivate"


def stage(who: str, session: str, password: str = PASSWORD) -> dict[str, Any]:
    """What a client without a session shows: who it is, and the password."""
    return {**login(who, password=password), "session": session}


async def begun(client: Client, call: str = PASSWORD_CALL, request: dict[str, Any] = WISH) -> str:
    """The session of a call that asks for the password now."""
    asked = await client.call("POST", call, 401, body=request)
    assert (asked["flows"], asked["completed"]) == ([{"stages": ["m.login.password"]}], [])
    return str(asked["session"])


async def refusal(client: Client, auth: dict[str, Any], call: str = PASSWORD_CALL) -> dict[str, Any]:
    """What is said of a stage that was not passed, but for the session."""
    refused: dict[str, Any] = await client.call("POST", call, 401, body={"auth": auth})
    assert refused.pop("session") == auth["session"]
    return refused


async def test_a_new_password_without_a_session(nobody: Client, alice: Client, bob: Client) -> None:
    session = await begun(nobody)
    refused = await refusal(nobody, stage("alice", session, "a guess"))
    assert (refused["errcode"], refused["completed"]) == ("M_FORBIDDEN", [])
    assert await refusal(nobody, stage("nobody", session)) == refused
    assert await refusal(nobody, stage("@alice:elsewhere.example", session))
    done = await nobody.call("POST", PASSWORD_CALL, body={**WISH, "auth": stage("alice", session)})
    assert done == {}
    assert await alice.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    assert await nobody.errcode("POST", "login", 403, body=login("alice")) == "M_FORBIDDEN"
    assert (await bob.call("GET", "account/whoami"))["user_id"] == bob.user_id
    phone = await nobody.login("alice", password=NEW)
    again = {"new_password": PASSWORD, "logout_devices": False}
    auth = stage(phone.user_id, await begun(nobody, request=again), NEW)
    await nobody.call("POST", PASSWORD_CALL, body={**again, "auth": auth})
    assert (await phone.call("GET", "account/whoami"))["user_id"] == phone.user_id
    await nobody.login("alice")


async def test_an_account_is_closed_without_a_session(
    nobody: Client, alice: Client, bob: Client, server: Running
) -> None:
    await server.hs.accounts.accounts.suspend(UserId(alice.user_id), ends_sessions=False)  # as with a token
    auth = stage("alice", await begun(nobody, CLOSE_CALL, {"erase": True}))
    assert await nobody.call("POST", CLOSE_CALL, body={"auth": auth}) == {
        "id_server_unbind_result": "success"
    }
    assert await alice.errcode("GET", "account/whoami", 401) == "M_UNKNOWN_TOKEN"
    assert await nobody.call("GET", f"profile/{alice.user_id}") == {}
    session = await begun(nobody)
    refused = await refusal(nobody, stage("alice", session))
    assert refused == await refusal(nobody, stage("nobody", session))
    await server.hs.accounts.accounts.lock(UserId(bob.user_id))
    assert await refusal(nobody, stage("bob", session, "a guess")) == refused
    assert (await refusal(nobody, stage("bob", session)))["errcode"] == "M_USER_LOCKED"


@pytest.mark.parametrize("overrides", [{"matrix": {"enabled": True}, "guest_accounts": {"enabled": True}}])
@pytest.mark.both
async def test_sessions_of_others_are_of_no_use(nobody: Client, alice: Client, bob: Client) -> None:
    with_token, without = await begun(alice), await begun(nobody)
    for client, auth in (
        (nobody, stage("alice", with_token)),  # begun with a token, and gone on with without
        (nobody, stage("bob", with_token)),
        (bob, stage("bob", with_token)),
        (alice, stage("alice", without)),  # the other way round
        (bob, stage("bob", without)),
    ):
        assert await client.errcode("POST", PASSWORD_CALL, 403, body={"auth": auth}) == "M_FORBIDDEN"
    own = {"auth": stage("bob", with_token)}
    assert await alice.errcode("POST", PASSWORD_CALL, 403, body=own) == "M_FORBIDDEN"
    for call, request in ((CLOSE_CALL, {}), (PASSWORD_CALL, {"new_password": "mine instead of it"})):
        body = {**request, "auth": stage("alice", without)}
        assert await nobody.errcode("POST", call, 403, body=body) == "M_FORBIDDEN"
    # Whoever proves to be somebody has spoken of that account alone, whatever was tried before.
    await refusal(nobody, stage("alice", without, "a guess"))
    await nobody.call("POST", PASSWORD_CALL, body={**WISH, "auth": stage("bob", without)})
    gone = {"auth": stage("alice", without)}
    assert await nobody.errcode("POST", PASSWORD_CALL, 400, body=gone) == "M_UNKNOWN"
    assert (await alice.call("GET", "account/whoami"))["user_id"] == alice.user_id
    await nobody.login("alice")
    await nobody.login("bob", password=NEW)
    guest = await nobody.guest()
    assert await guest.errcode("POST", CLOSE_CALL, 403, body={}) == "M_GUEST_ACCESS_FORBIDDEN"
    refused = await refusal(nobody, stage(guest.user_id, await begun(nobody)))
    assert refused["errcode"] == "M_FORBIDDEN"
    nobody.token, nobody.beyond = "made up", True
    assert await nobody.errcode("POST", CLOSE_CALL, 401, body={}) == "M_UNKNOWN_TOKEN"


BEHIND_A_PROXY = {
    "listen": {"trusted_proxies": ["127.0.0.1/32"]},
    "rate_limits": {
        "enabled": True,
        "login": {"per_second": 0.01, "burst": 4},
        "login_account": {"per_second": 0.01, "burst": 4},
    },
}


@pytest.mark.parametrize("overrides", [BEHIND_A_PROXY])
async def test_guesses_are_counted_with_those_at_the_log_in(nobody: Client, alice: Client) -> None:
    async def limited(number: int, call: str, body: dict[str, Any]) -> bool:
        """Whether somebody of this address is told to wait."""
        headers = {"X-Forwarded-For": f"192.0.2.{number}"}
        async with nobody.session.post(f"{CLIENT}/{call}", json=body, headers=headers) as answer:
            found = await answer.json()
        assert (answer.status, found.get("errcode")) in (
            (429, "M_LIMIT_EXCEEDED"),
            (401, found.get("errcode")),
        )
        return answer.status == 429

    session = await begun(nobody)
    guess = {"auth": stage("alice", session, "a guess")}
    # Per account, from whatever addresses, and at the log-in too.
    assert [await limited(number, PASSWORD_CALL, guess) for number in range(5)] == [False] * 4 + [True]
    assert await limited(5, "login", login("alice"))
    # Per address, whatever the account; to begin counts as well.
    assert not await limited(6, PASSWORD_CALL, WISH)
    for name in ("bob", "carol", "dora"):
        assert not await limited(6, PASSWORD_CALL, {"auth": stage(name, session, "a guess")})
    assert await limited(6, PASSWORD_CALL, WISH)
    assert await limited(6, "login", login("erin"))
    # Her own device is asked all the same, and may answer.
    asked, headers = await alice.call("POST", CLOSE_CALL, 401, body={}), {"X-Forwarded-For": "192.0.2.6"}
    body = {"auth": alice.password_stage(asked)}
    assert await alice.call("POST", CLOSE_CALL, body=body, headers=headers)


async def test_a_large_request_is_repeated_as_only_its_digest_is_kept(nobody: Client, alice: Client) -> None:
    body = {**WISH, "more": "x" * 20_000}
    asked = await alice.call("POST", PASSWORD_CALL, 401, body=body)
    auth = {"auth": alice.password_stage(asked)}
    assert await alice.errcode("POST", PASSWORD_CALL, 400, body=auth) == "M_MISSING_PARAM"
    other = {**body, "more": "y" * 20_000, **auth}
    assert await alice.errcode("POST", PASSWORD_CALL, 403, body=other) == "M_FORBIDDEN"
    await alice.call("POST", PASSWORD_CALL, body={**body, **auth})

"""Requests made from our own description of the APIs: no server errors, no answer that the description does not know.

First with ids made up, then with those of a conversation and of a chat that are there.
"""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from homeserver.lifecycle import Running
from tests.api.driver import User
from tests.api.messenger import wire as messenger

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
# A query too long for HTTP itself gets a plain text from the library, and queries of this API have no bounds but that.
MATRIX_CHECKS = CHECKS.replace("content_type_conformance,", "")
BUDGET_S = 12
MATRIX_BUDGET_S = 8
TO_ONE = ("--exclude-method=DELETE",)

pytestmark = [pytest.mark.timeout(150), pytest.mark.own_server]


@pytest.fixture
def database_kind() -> str:
    return "sqlite"  # the stories run on both; this is about form


async def run(
    server: Running,
    person: User,
    folder: Path,
    config: str,
    *options: str,
    name: str = "openapi",
    checks: str = CHECKS,
    budget_s: int = BUDGET_S,
) -> None:
    """Run the checker as a process of its own, without the call that would log it out."""
    file = folder / "schemathesis.toml"
    file.write_text(config)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        f"--config-file={file}",
        "run",
        f"{server.url}/{name}.json",
        f"--header=Authorization: Bearer {person.token}",
        f"--checks={checks}",
        f"--max-time={budget_s}",
        "--max-examples=25",
        "--workers=1",
        "--seed=1",
        "--no-color",
        "--continue-on-failure",
        "--generation-database=none",
        "--exclude-path=/api/v1/auth/logout",
        *options,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()[-5000:]
    assert b" passed" in output


async def test_ids_made_up(server: Running, alice: User, tmp_path: Path) -> None:
    await run(server, alice, tmp_path, "")


async def test_matrix_calls(server: Running, alice: User, tmp_path: Path) -> None:
    """Not those that would log it out or close the account; and /events waits as long as it is asked to."""
    options = "--exclude-path-regex=logout|deactivate|/events$"
    await run(
        server,
        alice,
        tmp_path,
        "",
        options,
        name="openapi/matrix",
        checks=MATRIX_CHECKS,
        budget_s=MATRIX_BUDGET_S,
    )


async def test_ids_of_a_conversation_that_is_there(
    server: Running, alice: User, bob: User, tmp_path: Path
) -> None:
    group = await alice.group(bob)
    message = await alice.say(group, "hello")
    ids = {"conversation_id": group["id"], "message_id": message["id"], "user_id": bob.id}
    await run(server, alice, tmp_path, named(ids), *TO_ONE, "--include-path-regex=unet-chat.*\\{.*")
    assert (await bob.chat("GET", f"conversations/{group['id']}"))["member_count"] >= 2


async def test_ids_of_a_chat_that_is_there(server: Running, alice: User, bob: User, tmp_path: Path) -> None:
    chat = await messenger.group(alice, bob)
    message = await messenger.say(alice, chat, "hello")
    ids = {"chat_id": chat["id"], "message_id": message["id"], "user_id": bob.id}
    await run(server, alice, tmp_path, named(ids), *TO_ONE, "--include-path-regex=api/v1.*\\{.*")
    assert len((await messenger.v1(bob, "GET", f"chats/{chat['id']}"))["participants"]) >= 2


def named(ids: Mapping[str, object]) -> str:
    """The configuration by which every path has these ids."""
    return "[parameters]\n" + "".join(f'"path.{name}" = {json.dumps(value)}\n' for name, value in ids.items())

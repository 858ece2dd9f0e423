"""Runs stories: programs in which an existing Matrix client drives our server.

They are programs of their own with an interpreter of their own, so that what the clients need does not meet what we
need, and their warnings are not ours.
"""

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent.parent
# Made by scripts/test; the JavaScript packages lie where node looks for them.
PROGRAMS = ROOT / ".venv-clients" / "bin"
PACKAGES = ROOT / "tests" / "clients" / "js" / "node_modules"
ARE_REQUIRED = os.environ.get("HOMESERVER_TEST_CLIENTS") == "required"
DEADLINE_S = 100
LAST_WORDS = 10_000


async def tell(story: str, url: str) -> dict[str, Any]:
    """Run `js/NAME.mjs` or `python/NAME.py` against a server; what it saw. Fails the test when the story fails."""
    process = await asyncio.create_subprocess_exec(
        *_command(story, url), cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(DEADLINE_S):
            output, words = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    seen = [json.loads(line) for line in output.decode().splitlines()]
    if process.returncode or not seen or seen[-1]["saw"] != "the end":
        told = "\n".join(f"{one['saw']}: {one['found']}" for one in seen)
        pytest.fail(f"{story} ended with {process.returncode}\n{told}\n{words.decode()[-LAST_WORDS:]}")
    return {one["saw"]: one["found"] for one in seen}


def _command(story: str, url: str) -> list[str]:
    path = Path(story)
    needed = [PROGRAMS / "python"] if path.suffix == ".py" else [PROGRAMS / "node", PACKAGES]
    missing = [str(one.relative_to(ROOT)) for one in needed if not one.exists()]
    if missing:
        (pytest.fail if ARE_REQUIRED else pytest.skip)(f"scripts/test makes what is missing: {missing}")
    if path.suffix == ".py":
        return [str(PROGRAMS / "python"), "-m", f"tests.clients.python.{path.stem}", url]
    return [str(PROGRAMS / "node"), f"tests/clients/js/{path.name}", url]

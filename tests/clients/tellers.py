"""Runs stories: programs in which an existing Matrix client drives our server.

They are programs of their own with an interpreter of their own, so that what the clients need does not meet what we
need, and their warnings are not ours.
"""

import asyncio
import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import IO, Any

import pytest

ROOT = Path(__file__).parent.parent.parent
# Made by scripts/test; the JavaScript packages lie where node looks for them.
PROGRAMS = ROOT / ".venv-clients" / "bin"
PACKAGES = ROOT / "tests" / "clients" / "js" / "node_modules"
ARE_REQUIRED = os.environ.get("HOMESERVER_TEST_CLIENTS") == "required"
DEADLINE_S = 90
LAST_WORDS = 10_000


async def tell(story: str, url: str) -> dict[str, Any]:
    """Run `js/NAME.mjs` or `python/NAME.py` against a server; what it saw. Fails the test when the story fails."""
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as words:
        process = await asyncio.create_subprocess_exec(
            *_command(story, url), cwd=ROOT, stdout=output, stderr=words
        )
        try:
            # One that hangs is ended; how far it came says more than that.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(DEADLINE_S):
                    await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        seen = [json.loads(line) for line in _all_of(output).splitlines()]
        last_words = _all_of(words)[-LAST_WORDS:]
    if process.returncode or not seen or seen[-1]["saw"] != "the end":
        told = "\n".join(f"{one['saw']}: {one['found']}" for one in seen)
        pytest.fail(f"{story} ended with {process.returncode}\n{told}\n{last_words}")
    return {one["saw"]: one["found"] for one in seen}


def _all_of(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def _command(story: str, url: str) -> list[str]:
    path = Path(story)
    needed = [PROGRAMS / "python"] if path.suffix == ".py" else [PROGRAMS / "node", PACKAGES]
    missing = [str(one.relative_to(ROOT)) for one in needed if not one.exists()]
    if missing:
        (pytest.fail if ARE_REQUIRED else pytest.skip)(f"scripts/test makes what is missing: {missing}")
    if path.suffix == ".py":
        return [str(PROGRAMS / "python"), "-m", f"tests.clients.python.{path.stem}", url]
    return [str(PROGRAMS / "node"), f"tests/clients/js/{path.name}", url]

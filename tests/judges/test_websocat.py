"""websocat, a client of another ecosystem, in a shell's pipe: it watches and gives. Only in `make judge`."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack
import pytest

from rooms.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from tests.judges.conftest import Say
from tests.judges.hostile import new_key
from tests.judges.process import WebProcess

DEADLINE_S = 20.0
PREFIX = "base64:"
"""Stands before a line that is a binary message."""

MISSING = "websocat is not installed: it has no build for this machine, or the machine reaches no package registry"


@pytest.fixture
def websocat(say: Say) -> str:
    """The program; without it this judge is silent."""
    path = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))
    found = shutil.which("websocat", path=path)
    if found is None:
        say(f"websocat: not asked. {MISSING}")
        pytest.skip(MISSING)
    return found


class Pipe:
    """A running websocat: a line is a message, either way."""

    def __init__(self, process: asyncio.subprocess.Process, binary: bool) -> None:
        self._process, self._binary = process, binary
        self.seen: list[dict[str, Any]] = []

    def write(self, message: dict[str, Any]) -> None:
        """Send a command."""
        assert self._process.stdin is not None
        line = PREFIX + base64.b64encode(msgpack.packb(message)).decode() if self._binary else json.dumps(message)
        self._process.stdin.write(line.encode() + b"\n")

    async def wait(self, kind: str) -> dict[str, Any]:
        """The first message of a type."""
        assert self._process.stdout is not None
        binary = self._binary
        async with asyncio.timeout(DEADLINE_S):
            while True:
                for message in self.seen:
                    if message["type"] == kind:
                        return message
                line = (await self._process.stdout.readline()).decode().strip()
                assert line, "websocat has ended"
                assert line.startswith(PREFIX) is binary
                self.seen += msgpack.unpackb(base64.b64decode(line[len(PREFIX) :])) if binary else json.loads(line)


@contextlib.asynccontextmanager
async def piped(websocat: str, web: WebProcess, binary: bool) -> AsyncIterator[Pipe]:
    """websocat in the room, as wanda; it ends when its standard input does."""
    kind = ["--binary", "--base64", f"--binary-prefix={PREFIX}"] if binary else ["--text"]
    process = await asyncio.create_subprocess_exec(
        websocat, *kind, f"--protocol={MSGPACK_SUBPROTOCOL if binary else JSON_SUBPROTOCOL}",
        *(f"--header={name}: {value}" for name, value in web.bearer("wanda").items()), web.socket_url,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None
    yield Pipe(process, binary)
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), DEADLINE_S) == 0


@pytest.mark.parametrize("binary", [False, True], ids=["json", "msgpack"])
async def test_websocat_watches_and_gives(websocat: str, web: WebProcess, binary: bool, say: Say) -> None:
    """It is welcomed, its gift has a receipt, and it sees the gift in the room."""
    await web.give_coins("wanda", 1_000)
    async with piped(websocat, web, binary) as pipe:
        before = (await pipe.wait("welcome"))["you"]["balance_coins"]
        key = new_key()
        pipe.write({"type": "send_gift", "id": 1, "key": key, "gift": "kite", "quantity": 2})
        receipt = (await pipe.wait("reply"))["result"]
        assert (receipt["key"], receipt["coins"], receipt["balance_coins"]) == (key, 20, before - 20)
        gift = await pipe.wait("gift")
        assert (gift["transfer"], gift["quantity"]) == (receipt["transfer"], 2)
    assert web.failures() == []
    say(f"websocat: watched and gave in {'msgpack' if binary else 'JSON'}")

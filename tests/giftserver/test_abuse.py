"""Abusers of every kind at once: the server's memory stays, a watching viewer misses nothing, nothing is charged."""

import asyncio
import contextlib
import json
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import psutil
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.demo_server import DemoServer

ABUSERS_OF_EACH_KIND = 12
RSS_GROWTH_MAX_BYTES = 40 * 2**20
ROOM = "meadow"
CREATOR = "ines"
VICTIM = "dmitri"


def gift(number: int, **fields: Any) -> str:
    """A send_gift command, wrong in the fields given."""
    key = str(uuid.UUID(int=int(time.time() * 1_000) << 80 | 7 << 76 | 2 << 62 | random.getrandbits(62)))
    return json.dumps({"type": "send_gift", "id": number, "key": key, "gift": "dewdrop", "quantity": 1} | fields)


async def malformed(socket: ClientConnection) -> None:
    """Frames that are no commands."""
    for frame in ("{", "[" * 10_000, '{"a":' * 3_000, "null"):
        await socket.send(frame)
    if random.random() < 0.5:
        await socket.send(b"\x81")
    async with socket.send_context():
        socket.protocol.send_text(b"not UTF-8: \xff\xfe")


async def huge(socket: ClientConnection) -> None:
    """A frame of 1 MiB."""
    await socket.send("x" * 2**20)


async def flood(socket: ClientConnection) -> None:
    """Commands without end."""
    for number in range(1, 1_000):
        await socket.send(gift(number, gift="none"))


async def stalled(socket: ClientConnection) -> None:
    """Reads nothing while the room goes on."""
    socket.transport.pause_reading()
    await asyncio.sleep(0)


async def bad_amounts(socket: ClientConnection) -> None:
    """Amounts that are no amounts."""
    for number, quantity in enumerate((0, -1, 1.5, True, "7", 2**63, None, [1], float("nan")), 1):
        await socket.send(gift(number, quantity=quantity))


KINDS = (malformed, huge, flood, stalled, bad_amounts)


async def abuse(url: str, headers: dict[str, str], kind: Callable[[ClientConnection], Awaitable[None]]) -> None:
    """One abuser's life: comes, abuses, and comes again until its turns are over."""
    for _ in range(3):
        with contextlib.suppress(ConnectionClosed, InvalidStatus, OSError):
            async with connect(url, additional_headers=headers, close_timeout=1) as socket:
                await kind(socket)
                async with asyncio.timeout(1):
                    async for _ in socket:
                        pass
        with contextlib.suppress(TimeoutError):
            await asyncio.sleep(0)


async def watch(url: str, token: str, stop: asyncio.Event) -> list[int]:
    """Offsets the room's creator, who sees every gift by itself, is shown until `stop`."""
    offsets: list[int] = []
    async with connect(url, additional_headers={"Authorization": f"Bearer {token}"}) as socket:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                frame = await asyncio.wait_for(socket.recv(), 0.5)
                offsets += [m["offset"] for m in json.loads(frame) if m["type"] in ("gift", "combo_ended")]
    return offsets


def balance(demo: DemoServer) -> int:
    """Coins of the person whose name the abusers use."""
    coins: int = demo.ask("GET", "/v1/wallet", user=VICTIM)["coins"]
    return coins


async def test_abusers_are_not_noticed(live_demo: DemoServer) -> None:
    """Malformed, huge, stalled, flooding and lying clients at once, again and again."""
    url = live_demo.url.replace("http", "ws") + f"/v1/rooms/{ROOM}/ws"
    token = live_demo.ask("POST", "/demo/token", {"id": VICTIM})["token"]
    web = psutil.Process(live_demo.child("web"))
    coins, rss_bytes = await asyncio.to_thread(balance, live_demo), web.memory_info().rss
    stop = asyncio.Event()
    creator = live_demo.ask("POST", "/demo/token", {"id": CREATOR})["token"]
    watching = asyncio.create_task(watch(url, creator, stop))
    headers = {"Authorization": f"Bearer {token}"}
    await asyncio.gather(
        *(
            abuse(url, headers if number % 4 == 0 else {}, kind)
            for kind in KINDS
            for number in range(ABUSERS_OF_EACH_KIND)
        ),
        return_exceptions=True,
    )
    stop.set()
    offsets = await watching
    assert offsets, "the bots' gifts should have been shown meanwhile"
    assert offsets == list(range(offsets[0], offsets[-1] + 1))
    assert await asyncio.to_thread(balance, live_demo) == coins
    assert web.is_running(), "the web process should not have been restarted"
    assert web.memory_info().rss - rss_bytes < RSS_GROWTH_MAX_BYTES


async def test_nothing_of_it_is_an_error_in_the_log(live_demo: DemoServer) -> None:
    """Whatever came over the sockets so far, and a refused handshake: no traceback, no line of our own failure."""
    with pytest.raises(InvalidStatus):
        await connect(live_demo.url.replace("http", "ws") + "/v1/rooms/nowhere/ws")
    logs = [file for file in live_demo.folder.glob("**/*.log") if "web" in file.name]
    assert logs
    lines = [line for file in logs for line in file.read_text(errors="replace").splitlines()]
    assert [line for line in lines if "Traceback" in line or '"level": "error"' in line] == []

"""A gifter keeps its key until a final reply: tried against a server that plays every trick."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from giftserver.gifts.service import time_of_key
from giftserver.replay.chaos import DECK, Accident, Chaos
from giftserver.replay.gifter import Gifter, GiftRefused
from giftserver.replay.keys import make_key
from giftserver.replay.link import JSON, MSGPACK, Dialect, Ended

Answer = Callable[[ServerConnection, dict[str, Any], int], Awaitable[dict[str, Any] | None]]
WELCOME = {"type": "welcome", "you": {"id": "ana", "balance_coins": 100}}


def receipt(command: dict[str, Any], transfer: str = "07-1-1") -> dict[str, Any]:
    """The reply to a command."""
    coins = command["quantity"] * command["price_coins"]
    result = {"transfer": transfer, "key": command["key"], "coins": coins, "balance_coins": 100 - coins}
    return {"type": "reply", "id": command["id"], "result": result}


def refusal(command: dict[str, Any], code: str, **fields: Any) -> dict[str, Any]:
    """An error to a command."""
    return {"type": "error", "id": command["id"], "code": code, "message": code, **fields}


class Room:
    """What a scripted server was sent."""

    def __init__(self) -> None:
        self.url = ""
        self.commands: list[dict[str, Any]] = []
        self.connections = 0


@asynccontextmanager
async def scripted(answer: Answer, dialect: Dialect = MSGPACK) -> AsyncIterator[Room]:
    """A server whose answer to the n-th command (from 1) is given by a function."""
    room = Room()

    async def handle(socket: ServerConnection) -> None:
        room.connections += 1
        await socket.send(dialect.encode([WELCOME]), text=not dialect.binary)
        async for data in socket:
            command = dialect.decode(data if isinstance(data, bytes) else data.encode())
            room.commands.append(command)
            message = await answer(socket, command, len(room.commands))
            if message is not None:
                await socket.send(dialect.encode([message]), text=not dialect.binary)

    async with serve(handle, "127.0.0.1", 0, subprotocols=[Subprotocol(dialect.subprotocol)]) as server:
        room.url = f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}"
        yield room


@asynccontextmanager
async def gifting(room: Room, chaos: Chaos | None = None, dialect: Dialect = MSGPACK) -> AsyncIterator[Gifter]:
    """A gifter connected to a scripted room."""

    async def token() -> str:
        return "a token"

    gifter = Gifter(room.url, token, random.Random(1), chaos, dialect)
    task = asyncio.create_task(gifter.run())
    try:
        yield gifter
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("dialect", [MSGPACK, JSON])
async def test_a_gift_gets_its_receipt(dialect: Dialect) -> None:
    """One command, one receipt, and the balance follows."""

    async def answer(socket: ServerConnection, command: dict[str, Any], number: int) -> dict[str, Any]:
        return receipt(command)

    async with scripted(answer, dialect) as room, gifting(room, None, dialect) as gifter:
        found = await gifter.send("rose", 2, 3, "hello")
        assert (found.transfer, found.coins, gifter.balance_coins) == ("07-1-1", 6, 94)
        assert len(room.commands) == 1
        assert room.commands[0]["note"] == "hello"


async def test_the_same_key_after_a_lost_connection() -> None:
    """A connection that dies before the reply costs nothing: the key goes out again on the next one."""

    async def answer(socket: ServerConnection, command: dict[str, Any], number: int) -> dict[str, Any] | None:
        if number == 1:
            socket.transport.abort()
            return None
        return receipt(command)

    async with scripted(answer) as room, gifting(room) as gifter:
        await gifter.send("rose", 1, 3)
        assert room.connections == 2
        assert len({command["key"] for command in room.commands}) == 1
        assert len(room.commands) == 2


async def test_the_same_key_after_a_temporary_refusal() -> None:
    """What is refused for now is sent again under its key, not before the time asked for."""
    times = []

    async def answer(socket: ServerConnection, command: dict[str, Any], number: int) -> dict[str, Any]:
        times.append(asyncio.get_running_loop().time())
        if number == 1:
            return refusal(command, "unavailable", temporary=True, retry_after_ms=120)
        return receipt(command)

    async with scripted(answer) as room, gifting(room) as gifter:
        await gifter.send("rose", 1, 3)
        assert room.commands[0]["key"] == room.commands[1]["key"]
        assert times[1] - times[0] >= 0.12


async def test_a_final_refusal_ends_it() -> None:
    """A final refusal is told to the caller and the key is never sent again."""

    async def answer(socket: ServerConnection, command: dict[str, Any], number: int) -> dict[str, Any]:
        return refusal(command, "insufficient_coins", temporary=False)

    async with scripted(answer) as room, gifting(room) as gifter:
        with pytest.raises(GiftRefused) as caught:
            await gifter.send("rose", 1, 3)
        assert caught.value.code == "insufficient_coins"
        assert gifter.waiting == 0
        assert len(room.commands) == 1


async def test_another_receipt_for_the_same_key_is_noticed() -> None:
    """A server that charges a key twice breaks its promise, and the gifter says so."""

    async def answer(socket: ServerConnection, command: dict[str, Any], number: int) -> dict[str, Any]:
        return receipt(command, f"07-1-{number}")

    chance = random.Random(1)
    chaos = Chaos(chance, on=True)
    chaos._deck = [Accident.AGAIN_AFTER_REPLY]
    async with scripted(answer) as room, gifting(room, chaos) as gifter:
        await gifter.send("rose", 1, 3)
        async with asyncio.timeout(5):
            while gifter.broken is None:  # noqa: ASYNC110 - set by a message of the socket
                await asyncio.sleep(0.005)
        assert "07-1-1, then 07-1-2" in str(gifter.broken)


@pytest.mark.parametrize("accident", [one for one in Accident if one is not Accident.NONE])
async def test_every_accident_ends_well(accident: Accident) -> None:
    """Whatever chaos does to a gift, it gets its receipt, under one key."""
    sent: dict[str, int] = {}

    async def answer(socket: ServerConnection, command: dict[str, Any], number: int) -> dict[str, Any]:
        return receipt(command, f"07-1-{sent.setdefault(command['key'], len(sent) + 1)}")

    chaos = Chaos(random.Random(1), on=True)
    chaos._deck = [accident]
    async with scripted(answer) as room, gifting(room, chaos) as gifter:
        found = await gifter.send("rose", 1, 3)
        assert found.transfer == "07-1-1"
        assert chaos.met[accident] == 1
        assert gifter.broken is None
        assert len({command["key"] for command in room.commands}) <= 1


async def test_a_final_close_ends_the_gifter() -> None:
    """Close codes from 4500 say: do not come back."""

    async def answer(socket: ServerConnection, command: dict[str, Any], number: int) -> None:
        await socket.close(4503, "kicked")

    async with scripted(answer) as room:
        gifter = Gifter(room.url, lambda: asyncio.sleep(0, "token"), random.Random(1))
        running = asyncio.create_task(gifter.run())
        giving = asyncio.create_task(gifter.send("rose", 1, 3))
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.timeout(10):
                await running
        giving.cancel()
        assert caught.group_contains(Ended, match="kicked")


def test_keys_are_what_the_server_takes() -> None:
    """Keys are canonical UUIDv7 of now, each another."""
    keys = [make_key() for _ in range(200)]
    assert len(set(keys)) == 200
    times = [time_of_key(key) for key in keys]
    assert None not in times
    assert times == sorted(times, key=lambda at_ms: at_ms or 0)


def test_a_short_run_meets_every_accident() -> None:
    """The deck holds each kind, so no seed leaves one out; switched off, nothing happens."""
    for seed in range(20):
        chaos = Chaos(random.Random(seed), on=True)
        assert {chaos.deal() for _ in DECK} == set(Accident)
    assert {Chaos(random.Random(1), on=False).deal() for _ in range(50)} == {Accident.NONE}


def test_codecs_are_the_wire() -> None:
    """The native dialects are those of the protocol."""
    assert msgspec.json.decode(JSON.encode({"type": "rendered"})) == {"type": "rendered"}
    assert MSGPACK.encode({}) == b"\x80"

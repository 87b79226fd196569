"""A room engine on a real Valkey, with a plain application on top."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest
from redis.asyncio import Redis

from rooms.bus import Bus
from rooms.codec import JSON, Codec
from rooms.connection import Connection, Member
from rooms.frames import Frame
from rooms.history import Event, History, Record
from rooms.hub import Hub
from rooms.protocol import Push

DEADLINE_S = 10.0


async def until(condition: Callable[[], Any]) -> Any:
    """Wait for a condition (plain or awaitable); fails after DEADLINE_S."""
    end_s = time.monotonic() + DEADLINE_S
    while True:
        value = condition()
        if isinstance(value, Awaitable):
            value = await value
        if value:
            return value
        assert time.monotonic() < end_s, "the condition was not met in time"
        await asyncio.sleep(0.01)


class Shown(Push, tag="shown", frozen=True):
    """What the plain application shows of a record."""

    offset: int
    kind: str
    combo: str
    combo_quantity: int
    body: str


class Folded(Push, tag="folded", frozen=True):
    """Many small records."""

    offset: int
    count: int


class State(Push, tag="state", frozen=True):
    """The plain application's snapshot."""

    room: str


class Plain:
    """An application that shows records as they are."""

    def render(self, record: Record) -> Push:
        return Shown(record.offset, record.kind, record.combo, record.combo_quantity, record.body)

    def small(self, push: Push) -> str | None:
        assert isinstance(push, Shown)
        return push.combo if push.body.startswith("small") else None

    def merge(self, pushes: Sequence[Push]) -> Push:
        return pushes[-1]

    def fold(self, pushes: Sequence[Push]) -> Push:
        last = pushes[-1]
        assert isinstance(last, Shown)
        return Folded(last.offset, len(pushes))

    async def snapshot(self, room_id: str) -> Push:
        return State(room_id)

    async def latest(self, room_id: str) -> list[Push]:
        return []


class Tape:
    """An outlet that keeps what is written."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.closed: tuple[int, str] | None = None
        self.unsent_bytes = 0

    def backlog(self) -> int:
        return self.unsent_bytes

    def write(self, frame: Frame) -> None:
        self.frames.append(frame)

    def close(self, code: int, reason: str) -> None:
        self.closed = (code, reason)

    def drop(self) -> None:
        self.unsent_bytes = 0


class Listener:
    """A connection and what it was sent."""

    def __init__(self, role: str = "viewer", codec: Codec = JSON, outbox_bytes: int = 10_000) -> None:
        self.tape = Tape()
        self.connection = Connection(
            self.tape, codec, Member("ana", "Ana", role), outbox_bytes=outbox_bytes, commands_per_s=10
        )

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All messages, decoded."""
        codec = self.connection.codec
        return [message for frame in self.tape.frames for message in codec.decode(frame.payload, list[dict[str, Any]])]

    @property
    def offsets(self) -> list[int]:
        """Offsets of the records shown, in order."""
        return [message["offset"] for message in self.messages if message["type"] == "shown"]


def event(number: int, combo_key: str = "", quantity: int = 1) -> Event:
    """An event whose id is its number."""
    return Event(f"e{number}", combo_key, quantity, quantity, "ana", "Ana", str(number))


@pytest.fixture
async def rooms_redis(engine_urls: Any) -> AsyncIterator[Redis]:
    """An emptied Redis for rooms."""
    client = Redis.from_url(engine_urls.rooms_redis_url)
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def history(rooms_redis: Redis) -> History:
    """Histories with short combos and few kept events."""
    return History(rooms_redis, combo_window_ms=300, history_events=100, ttl_s=600)


MakeHub = Callable[..., Awaitable[Hub]]


@pytest.fixture
async def make_hub(history: History, rooms_redis: Redis) -> AsyncIterator[MakeHub]:
    """Starts hubs: each is one process's view of the rooms."""
    hubs: list[Hub] = []

    async def make(**changes: Any) -> Hub:
        values = {
            "process": f"p{len(hubs)}",
            "tick_s": 0.02,
            "heartbeat_s": 5,
            "presence_s": 0.05,
            "catalog_version": 1,
            "watching": ("viewer",),
            "whole": ("creator", "overlay"),
        } | changes
        hub = Hub(history, lambda on_reconnect: Bus(rooms_redis, on_reconnect), Plain(), **values)
        await hub.start()
        hubs.append(hub)
        return hub

    yield make
    for hub in hubs:
        await hub.stop()

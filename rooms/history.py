"""A room's exact history in Redis: numbered events, combos, and resuming from an offset."""

import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final

import msgspec
from redis.asyncio import Redis
from redis.exceptions import NoScriptError

EVENT: Final = "e"
COMBO_ENDED: Final = "c"
SEEN_MS: Final = 1_800_000
"""How long an event's id is remembered, so that it is never shown twice."""

COMBOS_CLOSED_MAX: Final = 200
RESUME_MAX: Final = 1_000


class Record(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One event as Redis keeps it. `combo` is "" without one; `body` is the application's, opaque here."""

    offset: int
    kind: str
    at_ms: int
    combo: str
    combo_quantity: int
    combo_score: int
    body: str


class Batch(msgspec.Struct, array_like=True, frozen=True):
    """What one append published: records of one epoch, in order."""

    epoch: str
    records: list[Record]


class _Combo(msgspec.Struct, array_like=True, frozen=True):
    combo: str
    quantity: int
    score: int
    ends_at_ms: int
    body: str


class Event(msgspec.Struct, frozen=True, gc=False):
    """One event to append: `id` makes it idempotent, `combo_key` joins it to a combo ("" for none)."""

    id: str
    combo_key: str
    quantity: int
    score: int
    person: str
    person_name: str
    body: str


@dataclass(frozen=True, slots=True)
class Score:
    """A person's place in the room's top list; score in the application's unit."""

    person: str
    name: str
    score: int


@dataclass(frozen=True, slots=True)
class OpenCombo:
    """A combo that runs now, quantities cumulative."""

    combo: str
    quantity: int
    score: int
    ends_at_ms: int
    body: str


decode_batch = msgspec.msgpack.Decoder(Batch).decode
_decode_records = msgspec.msgpack.Decoder(list[Record]).decode
_decode_combo = msgspec.msgpack.Decoder(_Combo).decode


def channel(room: str) -> str:
    """Sharded pub/sub channel of a room's events."""
    return f"{{r:{room}}}:events"


Call = Callable[..., Awaitable[Any]]
"""Sends a command, which follows the id of the room it is about, and returns its reply."""


class History:
    """Histories of all rooms on one Redis (or Cluster: a room's keys share its tag).

    `call` is a cheaper way than the client's to send the command that every event needs.
    """

    def __init__(
        self, redis: Redis, *, combo_window_ms: int, history_events: int, ttl_s: int, call: Call | None = None
    ) -> None:
        self._redis: Any = redis
        self._call = call or self._ask
        self._window_ms, self._events, self._ttl_ms = combo_window_ms, history_events, ttl_s * 1_000
        scripts = files("rooms") / "scripts"

        def script(name: str) -> Any:
            return self._redis.register_script((scripts / name).read_text())

        self._append, self._open = script("append.lua"), script("open_room.lua")
        self._close_due, self._presence = script("close_due.lua"), script("presence.lua")
        self._retract = script("retract.lua")

    async def _ask(self, room: str, *command: Any) -> Any:
        return await self._redis.execute_command(*command)

    async def open(self, room: str) -> tuple[str, int]:
        """Epoch and offset of a room, which gets an epoch if it has none."""
        epoch, offset = await self._open(keys=[_key(room, "meta")], args=[_new_epoch(), self._ttl_ms])
        return epoch.decode(), int(offset)

    async def append(self, room: str, events: Sequence[Event]) -> int:
        """Append and publish events that were not seen before, a thousand at most; returns how many were new."""
        if not events:
            return 0
        keys = [_key(room, name) for name in ("meta", "batches", "combos", "due", "seen", "scores", "names")]
        args: list[str | int] = [_new_epoch(), self._window_ms, self._events, self._ttl_ms, SEEN_MS]
        for event in events:
            args += [event.id, event.combo_key, event.quantity, event.score]
            args += [event.person, event.person_name, event.body]
        command = ("EVALSHA", self._append.sha, len(keys) + 1, *keys, channel(room), *args)
        try:
            _, _, appended = await self._call(room, *command)
        except NoScriptError:
            _, _, appended = await self._append(keys=[*keys, channel(room)], args=args)
        return int(appended)

    async def retract(self, room: str, person: str, score: int) -> None:
        """Take an event's score out of the person's and the room's, never below zero; the event stays."""
        await self._retract(keys=[_key(room, "meta"), _key(room, "scores")], args=[score, person])

    async def unseen(self, room: str, ids: Sequence[str]) -> list[str]:
        """Those of the ids that were never appended."""
        if not ids:
            return []
        scores = await self._redis.zmscore(_key(room, "seen"), ids)
        return [id for id, score in zip(ids, scores, strict=True) if score is None]

    async def close_due(self, room: str) -> tuple[int, int | None]:
        """End the combos that are due; returns how many, and the ms until the next one is due."""
        keys = [_key(room, name) for name in ("meta", "batches", "combos", "due")]
        ended, following = await self._close_due(keys=[*keys, channel(room)], args=[self._events, COMBOS_CLOSED_MAX])
        return int(ended), int(following) if int(following) >= 0 else None

    async def since(self, room: str, epoch: str, offset: int, limit: int = RESUME_MAX) -> list[Record] | None:
        """All events after an offset, in order, or None when they cannot all be given (resume is exact or refused)."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hmget(_key(room, "meta"), "epoch", "offset")
            pipe.xrange(_key(room, "batches"), min=f"({offset}-0", max="+", count=limit + 1)
            meta, entries = await pipe.execute()
        if meta[0] is None or meta[0].decode() != epoch or offset < 0 or offset > int(meta[1]):
            return None
        records = _records(entries, after=offset)
        wanted = range(offset + 1, int(meta[1]) + 1)
        if len(wanted) > limit or [record.offset for record in records] != list(wanted):
            return None
        return records

    async def page(self, room: str, after: int, limit: int) -> tuple[str | None, list[Record]]:
        """Epoch and up to `limit` kept events after an offset."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hget(_key(room, "meta"), "epoch")
            pipe.xrange(_key(room, "batches"), min=f"({after}-0", max="+", count=limit)
            epoch, entries = await pipe.execute()
        return epoch.decode() if epoch else None, _records(entries, after=after)[:limit]

    async def mark_shown(self, room: str, offsets: Sequence[int]) -> None:
        """Remember that the room's overlay has shown these offsets."""
        if not offsets:
            return
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.zadd(_key(room, "shown"), {str(offset): offset for offset in offsets})
            pipe.zremrangebyrank(_key(room, "shown"), 0, -2 * self._events)
            pipe.pexpire(_key(room, "shown"), self._ttl_ms)
            await pipe.execute()

    async def unshown(self, room: str, limit: int = 200) -> list[int]:
        """Offsets of kept events that no overlay has shown, newest last."""
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.xrevrange(_key(room, "batches"), count=limit)
            pipe.zrange(_key(room, "shown"), 0, -1)
            entries, shown = await pipe.execute()
        known = {int(offset) for offset in shown}
        records = _records(reversed(entries))[-limit:]
        return [record.offset for record in records if record.kind == EVENT and record.offset not in known]

    async def combos(self, room: str) -> list[OpenCombo]:
        """Combos that run now."""
        stored = await self._redis.hvals(_key(room, "combos"))
        found = [_decode_combo(value) for value in stored]
        return [OpenCombo(c.combo, c.quantity, c.score, c.ends_at_ms, c.body) for c in found]

    async def top(self, room: str, limit: int = 10) -> list[Score]:
        """Highest scores of the room, best first."""
        rows = await self._redis.zrange(_key(room, "scores"), 0, limit - 1, desc=True, withscores=True)
        if not rows:
            return []
        names = await self._redis.hmget(_key(room, "names"), [person for person, _ in rows])
        return [
            Score(person.decode(), name.decode() if name else person.decode(), int(score))
            for (person, score), name in zip(rows, names, strict=True)
        ]

    async def total_score(self, room: str) -> int:
        """Sum of all scores appended to the room."""
        return int(await self._redis.hget(_key(room, "meta"), "score") or 0)

    async def count_viewers(self, room: str, process: str, count: int, fresh_ms: int) -> int:
        """Share this process's count of viewers and return the sum over all processes."""
        total = await self._presence(keys=[_key(room, "presence")], args=[process, count, fresh_ms])
        return int(total)

    async def read_viewers(self, rooms: Sequence[str]) -> list[int]:
        """Viewer counts as last shared, room by room."""
        counts = []
        for room in rooms:
            values = await self._redis.hvals(_key(room, "presence"))
            counts.append(sum(int(value.split(b":")[0]) for value in values))
        return counts


def _records(entries: Iterable[tuple[bytes, dict[bytes, bytes]]], after: int = 0) -> list[Record]:
    """The events of a history's entries, each of which holds those of one append, after an offset."""
    batches = [_decode_records(fields[b"b"]) for _, fields in entries]
    return [record for batch in batches for record in batch if record.offset > after]


def _key(room: str, name: str) -> str:
    return f"{{r:{room}}}:{name}"


def _new_epoch() -> str:
    return secrets.token_hex(4)

"""What a person decides: give up what a shard's Redis says, and go on from PostgreSQL.

Gifts that PostgreSQL does not have yet are read from the stream as far as they can be, kept in a file, and sent again
under their own keys once the shard is open. What cannot be read is listed, never dropped in silence.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from redis.asyncio import Redis
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.cluster.client import server_of
from giftserver.durable.epochs import shard_books
from giftserver.durable.history import gift_by_key
from giftserver.durable.intake import Cursor, broken_rule
from giftserver.durable.lock import CoordinatorLock
from giftserver.durable.wallets import DurableWallets
from giftserver.ledger import keys
from giftserver.ledger.events import GiftEvent, decode_event, parse_stream_id
from giftserver.ledger.guarded import run_script
from giftserver.ledger.ledger import Ledger
from giftserver.ledger.outcomes import GiftOrder, Refused
from giftserver.recovery.coordinator import Coordinator, Found

BACKLOG_MAX = 10_000_000
TIMEOUT_S = 5.0


class AnotherCoordinates(Exception):
    """A worker holds the coordinator's lock."""


@dataclass
class Outcome:
    """What became of the gifts that PostgreSQL did not have: event ids, with a reason where there is one."""

    shard: int
    again: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)


async def survey(database: AsyncEngine, redis: Redis) -> dict[int, Found]:
    """Every shard as it stands and what it needs; nothing is changed."""
    return await Coordinator(database, redis).look()


async def from_postgresql(
    database: AsyncEngine, redis: Redis, shard: int, keep: Path, say: Callable[[str], None] = print
) -> Outcome:
    """Open a shard at PostgreSQL's cursor and send again what its stream holds beyond; `keep` gets those events.

    Raises AnotherCoordinates, OSError when the file cannot be written, and the engines' errors; repeating is safe.
    """
    lock = CoordinatorLock(database)
    if not await lock.take():
        raise AnotherCoordinates
    try:
        await run_script(redis, "fence_shard.lua", shard, "fenced")
        cursor = (await shard_books(database))[shard].cursor
        beyond = await events_beyond(redis, shard, cursor)
        _save(keep, shard, cursor, beyond)
        say(f"shard {shard:02d}: PostgreSQL is at {cursor}; {len(beyond)} events beyond it are kept in {keep}")
        server: Any = await server_of(redis, keys.meta(shard))
        if beyond:
            await server.xdel(keys.events(shard), *(stream_id for stream_id, _ in beyond))
        await server.delete(keys.meta(shard))
        coordinator = Coordinator(database, redis)
        await coordinator.rebuild(shard, f"decided by a person; {len(beyond)} events beyond {cursor}")
        return await _send_again(database, redis, shard, beyond)
    finally:
        await lock.release()


async def events_beyond(redis: Redis, shard: int, cursor: Cursor) -> list[tuple[str, dict[bytes, bytes]]]:
    """Events of the stream whose gifts PostgreSQL does not have."""
    server: Any = await server_of(redis, keys.meta(shard))
    entries = await server.xrange(keys.events(shard))
    return [(name.decode(), fields) for name, fields in entries if parse_stream_id(name)[1] > cursor.seq]


def _save(keep: Path, shard: int, cursor: Cursor, beyond: list[tuple[str, dict[bytes, bytes]]]) -> None:
    with keep.open("x") as file:
        file.write(json.dumps({"shard": shard, "cursor": str(cursor), "events": len(beyond)}) + "\n")
        for stream_id, fields in beyond:
            raw = {name.decode(errors="replace"): value.hex() for name, value in fields.items()}
            file.write(json.dumps({"event": stream_id, "raw": raw}) + "\n")
    keep.chmod(0o600)


async def _send_again(
    database: AsyncEngine, redis: Redis, shard: int, beyond: list[tuple[str, dict[bytes, bytes]]]
) -> Outcome:
    outcome = Outcome(shard)
    ledger = Ledger(redis, DurableWallets(database), backlog_max=BACKLOG_MAX, timeout_s=TIMEOUT_S)
    for stream_id, fields in beyond:
        try:
            event = decode_event(fields[b"e"])
        except (msgspec.DecodeError, KeyError) as problem:
            outcome.unreadable[stream_id] = repr(problem)
            continue
        broken = broken_rule(shard, event)
        if broken is not None:
            outcome.unreadable[stream_id] = broken
            continue
        if await gift_by_key(database, event.sender, event.key) is not None:
            outcome.refused[stream_id] = "its key is booked already"
            continue
        sent = await ledger.send(_order(event, fields[b"e"]))
        if isinstance(sent, Refused):
            outcome.refused[stream_id] = sent.reason.value
        else:
            outcome.again.append(stream_id)
    await ledger.close()
    return outcome


def _order(event: GiftEvent, payload: bytes) -> GiftOrder:
    return GiftOrder(
        event.key, time.time_ns() // 1_000_000, event.request_hash, event.sender, event.creator, event.coins,
        event.diamonds, payload,
    )  # fmt: skip

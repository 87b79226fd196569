"""Moving gifts of one shard from its Redis stream to PostgreSQL, exactly once.

What makes it exact is the cursor, which moves in the transaction that posts: a flusher killed anywhere, two at once
or a COMMIT without an answer change nothing, because whoever comes next starts at the cursor. There is no consumer
group and nothing to acknowledge.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from typing import Any, Final, Literal

import asyncpg
from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import select
from sqlalchemy.exc import DataError, IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.away import DATABASE_ERRORS
from giftserver.durable.closings import ClosingUntimed, time_closings
from giftserver.durable.intake import Cursor, FlushedGift, FlushHalted, Waiting, read_waiting
from giftserver.durable.posting import post_gifts
from giftserver.durable.tables import flush_cursor
from giftserver.failpoints import failpoint
from giftserver.ledger import keys
from giftserver.ledger.clock import latest_ms

BATCH_MAX: Final = 2_000
"""Of a backlog; what comes live is a few gifts. Accounts that shards have in common are held for a whole batch."""

TAIL_MS: Final = 600_000
"""Flushed events stay in Redis this long: a PostgreSQL restored from a backup is filled from them."""

ADVANCE_MARK: Final = (files("giftserver.ledger") / "scripts" / "advance_mark.lua").read_text()
TRIM_EVENTS: Final = (files("giftserver.ledger") / "scripts" / "trim_events.lua").read_text()

REFUSED: Final = (IntegrityError, DataError, asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)


@dataclass(frozen=True, slots=True)
class FlushResult:
    """What one flush did. `cursor` is where PostgreSQL stands now, None when another flusher moves it.

    posted: `gifts` are in PostgreSQL · idle: nothing was waiting · lost_race: another flusher was first, or a room
    closed meanwhile: try again · absent: this Redis does not know the shard.
    """

    status: Literal["posted", "idle", "lost_race", "absent"]
    cursor: Cursor | None
    gifts: list[FlushedGift] = field(default_factory=list)
    waiting: int = 0
    """Gifts of the shard that were accepted but not yet in PostgreSQL when this flush had read the stream."""
    ahead: Waiting | None = None
    """The gifts after these, read meanwhile, when more were waiting: for the next flush."""


async def cursor_in(connection: AsyncConnection, shard: int) -> Cursor:
    """Number of the shard's last gift, as this connection sees it. Raises FlushHalted when the shard has none."""
    query = select(flush_cursor.c.epoch, flush_cursor.c.seq).where(flush_cursor.c.shard == shard)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise FlushHalted(shard, "no cursor", "?", "PostgreSQL has no flush cursor for this shard")
    return Cursor(*row)


async def read_cursor(engine: AsyncEngine, shard: int) -> Cursor:
    """Number of the shard's last gift in PostgreSQL. Raises FlushHalted when the shard has none."""
    async with engine.connect() as connection:
        return await cursor_in(connection, shard)


async def flush_shard(
    engine: AsyncEngine,
    ledger_redis: Redis,
    shard: int,
    limit: int = BATCH_MAX,
    cursor: Cursor | None = None,
    ahead: Waiting | None = None,
) -> FlushResult:
    """Post the shard's next gifts, at most `limit`, and read those after them meanwhile when more are waiting.

    `cursor` is the last gift known, read when not given; `ahead` is what the flush before had read, and is used if it
    follows the cursor. Raises FlushHalted when the stream or PostgreSQL shows something that must not be, one of
    DATABASE_ERRORS when nothing is known to be posted, and redis-py's errors; after any of them the next flush goes on
    from the cursor.
    """
    if cursor is None:
        cursor = await read_cursor(engine, shard)
    waiting = ahead
    if waiting is None or waiting.after != cursor:
        waiting = await read_waiting(ledger_redis, shard, cursor, limit)
    if waiting is None:
        return FlushResult("absent", cursor)
    if not waiting.gifts:
        if waiting.flushed < cursor.seq:  # a flusher ended between its COMMIT and this
            await mark_flushed(ledger_redis, shard, cursor.seq)
        return FlushResult("idle", cursor)
    last = Cursor(waiting.gifts[-1].epoch, waiting.gifts[-1].seq)
    copying = asyncio.Event()
    reading = None
    if waiting.seq > last.seq:
        reading = asyncio.create_task(_read_ahead(ledger_redis, shard, last, limit, copying), name="read ahead")
    try:
        failpoint("flush.before_begin")
        try:
            posted = await _post(engine, shard, cursor, waiting, copying)
        except ClosingUntimed:
            await time_closings(engine, partial(latest_ms, ledger_redis))
            posted = False
        if not posted:
            return FlushResult("lost_race", None)
        failpoint("flush.after_commit")
        await mark_flushed(ledger_redis, shard, last.seq)
        ahead = await reading if reading is not None else None
        return FlushResult("posted", last, waiting.gifts, waiting.seq - cursor.seq, ahead)
    finally:
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])


async def _read_ahead(redis: Redis, shard: int, cursor: Cursor, limit: int, start: asyncio.Event) -> Waiting | None:
    """What follows the cursor, read once `start` is set; None when it cannot be posted.

    What is wrong with it concerns the flush that would post it: that one reads it again, and says so.
    """
    await start.wait()
    with suppress(FlushHalted, RedisError, OSError):
        return await read_waiting(redis, shard, cursor, limit)
    return None


async def _post(
    engine: AsyncEngine, shard: int, cursor: Cursor, waiting: Waiting, copying: asyncio.Event | None = None
) -> bool:
    target = Cursor(waiting.gifts[-1].epoch, waiting.gifts[-1].seq)
    try:
        async with engine.begin() as connection:
            posted = await post_gifts(connection, shard, cursor, waiting.gifts, copying)
            failpoint("flush.after_post")
            return posted
    except REFUSED as problem:
        detail = str(getattr(problem, "orig", None) or problem).splitlines()[0]
        raise FlushHalted(shard, "refused", f"{cursor}…{target}", detail) from problem
    except DATABASE_ERRORS:
        # The COMMIT may have been carried out without an answer. Where the cursor is tells; a COMMIT still under way
        # holds the cursor's row, so a second try waits for it and finds the cursor moved.
        if await read_cursor(engine, shard) == target:
            return True
        raise


async def mark_flushed(ledger_redis: Redis, shard: int, seq: int) -> None:
    """Tell Redis how far PostgreSQL is; the mark never goes back.

    When Redis does not answer nothing is lost: the next flush that finds nothing to do makes up for it.
    """
    with suppress(RedisError, OSError):
        await _script(ledger_redis, ADVANCE_MARK)(keys=[keys.meta(shard)], args=["flushed", seq])


async def trim_events(ledger_redis: Redis, shard: int, keep_ms: int = TAIL_MS) -> int:
    """Drop events older than `keep_ms` that are flushed and announced; returns how many."""
    names = [keys.meta(shard), keys.events(shard)]
    failpoint("flush.before_trim")
    trimmed = int(await _script(ledger_redis, TRIM_EVENTS)(keys=names, args=[keep_ms]))
    failpoint("flush.after_trim")
    return trimmed


def _script(redis: Any, source: str) -> Any:
    return redis.register_script(source)

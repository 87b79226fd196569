"""What PostgreSQL knows of each shard's history, and the record of every epoch a shard was opened with."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.intake import Cursor


@dataclass(frozen=True, slots=True)
class ShardBook:
    """A shard in PostgreSQL: its last gift, that gift's sender and key (None: no gift), its newest recorded epoch."""

    cursor: Cursor
    name: tuple[str, str] | None
    epoch_max: int


BOOKS: Final = text("""
    SELECT c.shard, c.epoch, c.seq, t.sender, t.key,
        coalesce((SELECT max(e.epoch) FROM ledger_epoch AS e WHERE e.shard = c.shard), 0) AS epoch_max
    FROM flush_cursor AS c
    LEFT JOIN transfer AS t ON t.id = (c.shard + 1)::bigint << 55 | c.epoch::bigint << 40 | c.seq
""")

RECORD: Final = text("""
    INSERT INTO ledger_epoch (shard, epoch, run, verdict, seq, note)
    VALUES (:shard, :epoch, :run, :verdict, :seq, :note)
""")


async def shard_books(engine: AsyncEngine) -> dict[int, ShardBook]:
    """Every shard as PostgreSQL has it, in one snapshot. Raises the driver's errors."""
    async with engine.connect() as connection:
        rows = (await connection.execute(BOOKS)).all()
    return {
        row.shard: ShardBook(
            Cursor(row.epoch, row.seq), (row.sender, row.key) if row.key is not None else None, row.epoch_max
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class Opening:
    """A shard that is about to open: going on after gift `seq`, under the run of Redis it was compared with."""

    shard: int
    epoch: int
    run: str
    verdict: str
    seq: int
    note: str


LOCK_CURSOR: Final = text("SELECT seq FROM flush_cursor WHERE shard = :shard FOR NO KEY UPDATE")

KEPT: Final = text("SELECT min(seq) FROM ledger_epoch WHERE shard = :shard AND epoch > :epoch")


async def record_epochs(engine: AsyncEngine, openings: Sequence[Opening]) -> set[int]:
    """Write down that shards are about to open; the shards that were, without those whose cursor is beyond by now.

    A flush that read what Redis has lost since either comes first, and then the shard must be judged again, or finds
    this record and posts nothing. Raises IntegrityError when an epoch was used before.
    """
    recorded = set()
    async with engine.begin() as connection:
        for opening in sorted(openings, key=lambda opening: opening.shard):
            if await connection.scalar(LOCK_CURSOR, {"shard": opening.shard}) <= opening.seq:
                await connection.execute(RECORD, asdict(opening))
                recorded.add(opening.shard)
    return recorded


async def kept_until(engine: AsyncEngine, shard: int, epoch: int) -> int | None:
    """Number up to which the shard's gifts survived every opening after this epoch; None when there was none."""
    async with engine.connect() as connection:
        seq: int | None = await connection.scalar(KEPT, {"shard": shard, "epoch": epoch})
    return seq


async def given_up(connection: AsyncConnection, shard: int, epoch: int, seq: int) -> bool:
    """Whether gift `seq` of this epoch was lost by Redis before the shard opened again; under the cursor's lock."""
    kept = await connection.scalar(KEPT, {"shard": shard, "epoch": epoch})
    return kept is not None and kept < seq

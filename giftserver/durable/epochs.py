"""What PostgreSQL knows of each shard's history, and the record of every epoch a shard was opened with."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

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


async def record_epochs(engine: AsyncEngine, openings: Sequence[Opening]) -> None:
    """Write down that shards are about to open; raises IntegrityError when an epoch was used before."""
    if openings:
        async with engine.begin() as connection:
            await connection.execute(RECORD, [asdict(opening) for opening in openings])

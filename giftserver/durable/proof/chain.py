"""The hash chain, recomputed: a gift that was changed, removed, exchanged or put in after it was posted is found."""

from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.chain import COLUMNS, START, exact_ms, next_hash
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.tables import gift_id
from giftserver.ledger.events import transfer_id
from giftserver.ledger.keys import SHARDS

PAGE: Final = 1_000
"""Gifts in memory at a time; hashing them holds the event loop for a few ms."""

LAST: Final = len(COLUMNS)
CHAINED: Final = f"""
    SELECT {", ".join(COLUMNS)}, event_at, hash,
        kind = 'gift' AND reference IS NULL AND id = ((shard + 1)::bigint << 55) + (epoch::bigint << 40) + seq
    FROM transfer WHERE id >= $1 AND id < $2 ORDER BY id
"""
HEADS: Final = text("SELECT shard, epoch, seq, chain FROM flush_cursor ORDER BY shard")


async def gifts_are_chained(connection: AsyncConnection, invariant: Invariant) -> None:
    """Each gift's hash follows from the gift and the hash before it, and the flush cursor has the last one.

    Gifts posted before there were hashes have none; a shard's first hash starts the chain.
    """
    heads = {row.shard: row.chain for row in await connection.execute(HEADS)}
    driver: Any = (await connection.get_raw_connection()).driver_connection
    for shard in range(SHARDS):
        cursor = await driver.cursor(CHAINED, gift_id(shard, 0, 0), gift_id(shard + 1, 0, 0))
        previous = START
        while page := await cursor.fetch(PAGE):
            invariant.checked += len(page)
            for row in page:
                previous = _follow(invariant, previous, row)
        head = heads.get(shard, START)
        if head != previous:
            invariant.found(
                f"shard {shard:02d}: the flush cursor's hash is {_shown(head)}, the last gift's {_shown(previous)}"
            )


def _follow(invariant: Invariant, previous: bytes, row: Any) -> bytes:
    """Hash that the next gift follows: the stored one, so that each break is told once."""
    stored: bytes | None = row[LAST + 1]
    if stored is None:
        if previous != START:
            invariant.found(f"gift {_name(row)} has no hash, the gifts before it have")
        return previous
    if stored != next_hash(previous, (*row[:LAST], exact_ms(row[LAST]))) or not row[LAST + 2]:
        invariant.found(f"gift {_name(row)}: its hash {_shown(stored)} does not follow from it and the gift before it")
    return stored


def _name(row: Any) -> str:
    return transfer_id(row[0], row[1], row[2]) if row[0] is not None else "without a number"


def _shown(digest: bytes) -> str:
    return f"{digest.hex()[:16]}…" if digest else "empty"


async def chain_heads(connection: AsyncConnection) -> dict[str, str]:
    """Hash of each shard's last gift, in hex, by the gift's public name; shards without hashes are left out.

    Whoever keeps these elsewhere can tell later whether the book up to there was written anew.
    """
    rows = await connection.execute(HEADS)
    return {transfer_id(row.shard, row.epoch, row.seq): row.chain.hex() for row in rows if row.chain}

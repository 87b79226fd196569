"""Posting a batch of gifts as double entry, in one transaction, as long as one gift or thousands.

PostgreSQL keeps and checks; the process adds up (`giftserver.durable.bookkeeping`). Transfers and entries are copied
straight into their tables, whose constraints and triggers see every row.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import insert, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.bookkeeping import Account, Name, Sum, days, line, lines, sums
from giftserver.durable.chain import hashes
from giftserver.durable.closings import ask_for_refunds, late_gifts
from giftserver.durable.epochs import given_up
from giftserver.durable.intake import Cursor, FlushedGift, FlushHalted
from giftserver.durable.tables import FIRST_PERSONAL_ACCOUNT, account, entry

# First, so that of two flushers on one shard the second waits here, then finds the cursor moved and does nothing.
HOLD_CURSOR: Final = text("""
    SELECT chain FROM flush_cursor WHERE shard = :shard AND epoch = :epoch AND seq = :seq FOR NO KEY UPDATE
""")

MOVE_CURSOR: Final = text("UPDATE flush_cursor SET epoch = :epoch, seq = :seq, chain = :chain WHERE shard = :shard")

# New accounts in the order of their names, so that two shards with the same new creators do not wait for each other in
# a circle. A wallet is never made here: coins that nobody credited cannot be spent.
ADD_TO_CREATORS: Final = text("""
    WITH given AS MATERIALIZED (
        SELECT * FROM unnest(
            CAST(:creators AS text[]), CAST(:days AS date[]), CAST(:rooms AS text[]),
            CAST(:gifts AS bigint[]), CAST(:coins AS bigint[]), CAST(:diamonds AS bigint[])
        ) AS given (creator, day, room, gifts, coins, diamonds)
    ), opened AS (
        INSERT INTO account (kind, owner, asset)
        SELECT 'earnings', creator, 'diamonds'
        FROM (SELECT DISTINCT creator FROM given WHERE diamonds > 0) AS named
        WHERE NOT EXISTS (
            SELECT FROM account WHERE kind = 'earnings' AND owner = named.creator AND asset = 'diamonds'
        )
        ORDER BY creator
        ON CONFLICT DO NOTHING
    )
    INSERT INTO gift_day AS sums (creator, day, room, shard, gifts, coins, diamonds)
    SELECT creator, day, room, :shard, gifts, coins, diamonds FROM given
    ON CONFLICT (creator, day, room, shard) DO UPDATE SET gifts = sums.gifts + excluded.gifts,
        coins = sums.coins + excluded.coins, diamonds = sums.diamonds + excluded.diamonds
""")

# Locked in id order, the platform's last: everybody who locks accounts does it in this order. An account is changed
# only after `locked` has given its row out.
MOVE: Final = text(f"""
    WITH locked AS MATERIALIZED (
        SELECT account.id, moved.amount, moved.entries
        FROM unnest(
            CAST(:kinds AS text[]), CAST(:owners AS text[]), CAST(:assets AS text[]),
            CAST(:amounts AS bigint[]), CAST(:entries AS bigint[])
        ) AS moved (kind, owner, asset, amount, entries)
        JOIN account USING (kind, owner, asset)
        ORDER BY account.id < {FIRST_PERSONAL_ACCOUNT}, account.id FOR NO KEY UPDATE OF account
    )
    UPDATE account SET balance = account.balance + locked.amount, version = account.version + locked.entries
    FROM locked WHERE account.id = locked.id
    RETURNING account.kind, account.owner, account.asset, account.id,
        account.balance - locked.amount AS balance, account.version - locked.entries AS version
""")

LOCK: Final = text(f"""
    SELECT account.id FROM unnest(
        CAST(:kinds AS text[]), CAST(:owners AS text[]), CAST(:assets AS text[])
    ) AS named (kind, owner, asset) JOIN account USING (kind, owner, asset)
    ORDER BY account.id < {FIRST_PERSONAL_ACCOUNT}, account.id FOR NO KEY UPDATE OF account
""")

TRANSFER: Final = (
    "id", "kind", "shard", "epoch", "seq", "sender", "key", "request_hash", "room", "creator", "gift", "quantity",
    "coins", "diamonds", "catalog_version", "rate_version", "note", "event_at", "hash",
)  # fmt: skip
ENTRY: Final = ("transfer", "n", "account", "version", "amount", "balance_after")


async def post_gifts(
    connection: AsyncConnection,
    shard: int,
    cursor: Cursor,
    gifts: Sequence[FlushedGift],
    copying: asyncio.Event | None = None,
) -> bool:
    """Post gifts that directly follow the cursor and move it, with the hash chain, in the caller's transaction.

    False, with nothing done, when the cursor is elsewhere by now (another flusher was first), or when the shard opened
    again without these gifts since they were read. `copying` is set once PostgreSQL is given work for a while. Gifts
    that came after their room had closed are booked like all others, and asked back. Raises FlushHalted when an account
    is missing, ClosingUntimed, SQLAlchemy's and asyncpg's errors; those of integrity when the database refuses a gift.
    """
    held = await connection.execute(HOLD_CURSOR, {"shard": shard, "epoch": cursor.epoch, "seq": cursor.seq})
    chain = held.scalar_one_or_none()
    if chain is None:
        return False
    newest = {gift.epoch: gift.seq for gift in gifts}
    for epoch, seq in newest.items():
        if await given_up(connection, shard, epoch, seq):
            return False
    late = await late_gifts(connection, gifts)
    chained = hashes(chain, gifts)
    last = gifts[-1]
    await connection.execute(MOVE_CURSOR, {"shard": shard, "epoch": last.epoch, "seq": last.seq, "chain": chained[-1]})
    driver = (await connection.get_raw_connection()).driver_connection
    assert driver is not None
    await driver.copy_records_to_table("transfer", columns=TRANSFER, records=transfers(gifts, chained, copying))
    await ask_for_refunds(connection, late)
    await _add_to_creators(connection, shard, gifts)
    moved = sums(gifts)
    # From here to the COMMIT other shards wait for the accounts they have in common, the platform's above all.
    before = await move(connection, moved)
    missing = moved.keys() - before.keys()
    if missing:
        raise FlushHalted(shard, "refused", f"{cursor}…{last.epoch}-{last.seq}", f"there is no {min(missing)}")
    await driver.copy_records_to_table("entry", columns=ENTRY, records=lines(gifts, before))
    return True


def transfers(
    gifts: Sequence[FlushedGift], chained: Sequence[bytes], given: asyncio.Event | None
) -> Iterator[tuple[Any, ...]]:
    """The gifts as rows; `given` is set when the last has been taken, for PostgreSQL has work for a while then."""
    yield from map(transfer, gifts, chained)
    if given is not None:
        given.set()


def transfer(gift: FlushedGift, digest: bytes) -> tuple[Any, ...]:
    """The gift as a row of the table, in the order of TRANSFER."""
    event = gift.event
    return (
        gift.transfer_number, "gift", gift.shard, gift.epoch, gift.seq, event.sender, event.key, event.request_hash,
        event.room, event.creator, event.gift, event.quantity, event.coins, event.diamonds, event.catalog_version,
        event.rate_version, event.note, gift.event_at, digest,
    )  # fmt: skip


async def _add_to_creators(connection: AsyncConnection, shard: int, gifts: Sequence[FlushedGift]) -> None:
    """Add to the creators' sums by day, and open accounts for those who never earned before."""
    found = dict(sorted(days(gifts).items()))  # everybody takes these rows in this order
    creators, dates, rooms = zip(*found, strict=True)
    values = {
        "shard": shard,
        "creators": creators,
        "days": dates,
        "rooms": rooms,
        "gifts": [day.gifts for day in found.values()],
        "coins": [day.coins for day in found.values()],
        "diamonds": [day.diamonds for day in found.values()],
    }
    await connection.execute(ADD_TO_CREATORS, values)


async def move(connection: AsyncConnection, moved: Mapping[Name, Sum]) -> dict[Name, Account]:
    """Lock and change these accounts; how those that are there stood before."""
    kinds, owners, assets = zip(*moved, strict=True)
    values = {
        "kinds": kinds,
        "owners": owners,
        "assets": assets,
        "amounts": [one.amount for one in moved.values()],
        "entries": [one.entries for one in moved.values()],
    }
    rows = await connection.execute(MOVE, values)
    return {Name(kind, owner, asset): Account(*stood) for kind, owner, asset, *stood in rows}


async def lock_accounts(connection: AsyncConnection, names: Sequence[Name]) -> None:
    """Lock these accounts for what will be posted by more than one transfer, in everybody's order."""
    kinds, owners, assets = zip(*names, strict=True)
    await connection.execute(LOCK, {"kinds": kinds, "owners": owners, "assets": assets})


async def post(connection: AsyncConnection, transfer_number: int, amounts: Sequence[tuple[Name, int]]) -> None:
    """Post the entries of one transfer, in this order, each account once. Raises LookupError when one is missing."""
    before = await move(connection, {name: Sum(amount, 1) for name, amount in amounts})
    if missing := {name for name, _ in amounts} - before.keys():
        raise LookupError(f"there is no {min(missing)}")
    rows = [line(transfer_number, n, before[name], amount) for n, (name, amount) in enumerate(amounts, 1)]
    await connection.execute(insert(entry).values([dict(zip(ENTRY, one, strict=True)) for one in rows]))


async def open_accounts(connection: AsyncConnection, names: Sequence[Name]) -> None:
    """Make the accounts that are missing, in the order of their names, so that nobody waits in a circle."""
    await connection.execute(
        postgresql.insert(account).values([name._asdict() for name in sorted(names)]).on_conflict_do_nothing()
    )

"""Reading the book: a wallet's history, a gift by its key, what a creator earned and a room received."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, exists, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.claim_tables import claim
from giftserver.durable.lots import OPENED
from giftserver.durable.tables import account, entry, gift_day, transfer
from giftserver.ledger.events import transfer_id

PAGE_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class WalletEntry:
    """One line of a wallet: `amount_coins` as it changed, `balance_coins` after it; the rest None but for gifts.

    `claim`: of coins that were set aside for a claim, how that claim stands now: frozen, lost or won.
    """

    transfer: str
    kind: str
    amount_coins: int
    balance_coins: int
    at_ms: int
    gift: str | None
    quantity: int | None
    room: str | None
    creator: str | None
    key: str | None
    claim: str | None = None


@dataclass(frozen=True, slots=True)
class WalletPage:
    """Newest first; `next` is the `before` of the page after this one, None on the last."""

    entries: list[WalletEntry]
    next: int | None


@dataclass(frozen=True, slots=True)
class SettledGift:
    """A gift that stands in PostgreSQL; `balance_coins` is what the sender had left after it; `refunded` since then."""

    transfer: str
    key: str
    request_hash: str
    coins: int
    diamonds: int
    balance_coins: int
    event_at: datetime
    refunded: bool


@dataclass(frozen=True, slots=True)
class GiftRecord:
    """A gift as it was booked; `hash` is its link of the shard's hash chain, None when booked before there was one."""

    transfer: str
    key: str
    sender: str
    creator: str
    room: str
    gift: str
    quantity: int
    coins: int
    diamonds: int
    at_ms: int
    hash: bytes | None


@dataclass(frozen=True, slots=True)
class GiftTotals:
    """Sums over gifts in PostgreSQL, and what of them was given back."""

    gifts: int
    coins: int
    diamonds: int
    refunded_gifts: int = 0
    refunded_diamonds: int = 0


def public_transfer(row: Any) -> str:
    """Name of a transfer on the wire: a gift's number, or the plain id of any other kind."""
    return str(row.id) if row.shard is None else transfer_id(row.shard, row.epoch, row.seq)


def at_ms(moment: datetime) -> int:
    """Milliseconds since 1970, exact."""
    return round(moment.timestamp() * 1000)


async def wallet_history(
    engine: AsyncEngine, user: str, before: int | None = None, limit: int = 50, after: int = 0
) -> WalletPage:
    """A page of the user's wallet, at most 200 lines, older than `before` (the wallet's version, from `next`).

    With `after` nothing that is as old as that version or older.
    """
    limit = max(1, min(limit, PAGE_MAX))
    opened = func.substr(transfer.c.reference, len(OPENED) + 1)
    became = select(claim.c.state).where(claim.c.id == opened).correlate(transfer).scalar_subquery()
    query = (
        select(
            transfer.c.id, transfer.c.kind, transfer.c.shard, transfer.c.epoch, transfer.c.seq,
            entry.c.amount, entry.c.balance_after, entry.c.version, transfer.c.event_at,
            transfer.c.gift, transfer.c.quantity, transfer.c.room, transfer.c.creator, transfer.c.key,
            case((transfer.c.kind == "claim_open", became)).label("claim"),
        )
        .join_from(account, entry, entry.c.account == account.c.id)
        .join(transfer, transfer.c.id == entry.c.transfer)
        .where(account.c.kind == "wallet", account.c.owner == user, account.c.asset == "coins")
        .where(entry.c.version > after)
        .order_by(entry.c.version.desc())
        .limit(limit)
    )  # fmt: skip
    if before is not None:
        query = query.where(entry.c.version < before)
    async with engine.connect() as connection:
        rows = (await connection.execute(query)).all()
    entries = [
        WalletEntry(
            public_transfer(row), row.kind, row.amount, row.balance_after, at_ms(row.event_at),
            row.gift, row.quantity, row.room, row.creator, row.key, row.claim,
        )
        for row in rows
    ]  # fmt: skip
    more = len(rows) == limit and rows[-1].version > after + 1
    return WalletPage(entries, rows[-1].version if more else None)


async def gift_by_key(engine: AsyncEngine, sender: str, key: str) -> SettledGift | None:
    """The sender's gift of this idempotency key, None when PostgreSQL has none (yet)."""
    refund = transfer.alias()
    query = (
        select(transfer, entry.c.balance_after, exists().where(refund.c.reverses == transfer.c.id).label("refunded"))
        .join(entry, (entry.c.transfer == transfer.c.id) & (entry.c.n == 1))
        .where(transfer.c.sender == sender, transfer.c.key == key)
    )
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return SettledGift(
        public_transfer(row),
        row.key,
        row.request_hash,
        row.coins,
        row.diamonds,
        row.balance_after,
        row.event_at,
        row.refunded,
    )


async def gift_record(engine: AsyncEngine, sender: str, key: str) -> GiftRecord | None:
    """Everything a receipt says of the sender's gift of this key, None when PostgreSQL has none (yet)."""
    query = select(transfer).where(transfer.c.sender == sender, transfer.c.key == key)
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one_or_none()
    if row is None:
        return None
    return GiftRecord(
        public_transfer(row), row.key, row.sender, row.creator, row.room, row.gift, row.quantity, row.coins,
        row.diamonds, at_ms(row.event_at), row.hash,
    )  # fmt: skip


async def earned_today(engine: AsyncEngine, creator: str, day: date) -> GiftTotals:
    """What reached PostgreSQL of the creator's gifts of one UTC day."""
    return await _totals(engine, (gift_day.c.creator == creator) & (gift_day.c.day == day))


async def room_totals(engine: AsyncEngine, room: str) -> GiftTotals:
    """What reached PostgreSQL of all gifts ever sent in the room."""
    return await _totals(engine, gift_day.c.room == room)


async def _totals(engine: AsyncEngine, where: ColumnElement[bool]) -> GiftTotals:
    days = gift_day.c
    columns = (days.gifts, days.coins, days.diamonds, days.refunded_gifts, days.refunded_diamonds)
    query: Select[Any] = select(*(func.coalesce(func.sum(column), 0) for column in columns)).where(where)
    async with engine.connect() as connection:
        row = (await connection.execute(query)).one()
    return GiftTotals(*map(int, row))

"""A wallet's statement of one month: what was there before, what moved, what was left.

A month begins with the first entry that was decided in it and ends before the first one of a later month. So each month
is one piece of the wallet, what one month leaves is what the next begins with, and every line's balance is the ledger's
own. Entries are never changed, so what has been read of a month stays true; a gift that is booked later comes after it.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.bookkeeping import wallet
from giftserver.durable.history import public_transfer
from giftserver.durable.lots import OPENED, WON
from giftserver.months import Month, months

CREATORS: Final = 10
"""As many creators are named, those who got most."""

LINES_PAGE: Final = 1_000
BONUS: Final = "bonus"
"""Kind of the total of coins that came on top of bought ones; their entries are those of `recharge`."""

BEGINNING: Final = text("""
    SELECT a.id, t.event_at FROM account AS a
    JOIN entry AS e ON e.account = a.id AND e.version = 1 JOIN transfer AS t ON t.id = e.transfer
    WHERE a.kind = :kind AND a.owner = :owner AND a.asset = :asset
""")

MONTHS: Final = text("""
    SELECT m.*, f.balance_after - f.amount AS opening, l.balance_after AS closing FROM (
        SELECT place, min(version) AS first, max(version) AS last, count(*) AS entries FROM (
            SELECT e.version, width_bucket(
                max(t.event_at) OVER (ORDER BY e.version), CAST(:begins AS timestamptz[])) AS place
            FROM entry AS e JOIN transfer AS t ON t.id = e.transfer WHERE e.account = :account
        ) AS dated GROUP BY place
    ) AS m
    JOIN entry AS f ON f.account = :account AND f.version = m.first
    JOIN entry AS l ON l.account = :account AND l.version = m.last ORDER BY m.place
""")

TOTALS: Final = text("""
    SELECT t.kind, count(*) AS entries, sum(e.amount)::bigint AS coins, coalesce(sum(t.quantity), 0)::bigint AS gifts,
        coalesce(sum(least(e.amount, t.coins - p.coins)) FILTER (WHERE p.coins < t.coins), 0)::bigint AS bonus,
        count(*) FILTER (WHERE p.coins < t.coins) AS with_bonus
    FROM entry AS e JOIN transfer AS t ON t.id = e.transfer LEFT JOIN payment AS p ON p.transfer = t.id
    WHERE e.account = :account AND e.version BETWEEN :first AND :last GROUP BY t.kind ORDER BY t.kind
""")

PAID: Final = text("""
    SELECT currency, sum(amount_minor)::bigint AS minor FROM payment WHERE user_id = :user AND transfer IN (
        SELECT transfer FROM entry WHERE account = :account AND version BETWEEN :first AND :last
    ) GROUP BY currency
""")

# The money of claims moves by transfers of their own, many of which leave the wallet as it is.
CLAIMED: Final = text(f"""
    SELECT p.currency, c.kind, split_part(t.reference, ':', 1) || ':' AS moved, sum(c.amount_minor)::bigint AS minor
    FROM payment AS p JOIN claim AS c ON c.payment = p.id
    JOIN transfer AS t ON t.reference = ANY (ARRAY['{OPENED}' || c.id, 'claim-lost:' || c.id, '{WON}' || c.id])
    WHERE p.user_id = :user AND t.event_at >= :begins AND t.event_at < :ends GROUP BY 1, 2, 3
""")
MOVES: Final = {
    ("refund", "claim-lost:"): "refunded_minor",
    ("dispute", OPENED): "disputed_minor",
    ("dispute", WON): "dispute_won_minor",
    ("dispute", "claim-lost:"): "dispute_lost_minor",
}

TOP: Final = text("""
    SELECT t.creator, sum(-e.amount)::bigint AS coins, sum(sign(-e.amount) * t.quantity)::bigint AS gifts
    FROM entry AS e JOIN transfer AS t ON t.id = e.transfer
    WHERE e.account = :account AND e.version BETWEEN :first AND :last AND t.kind IN ('gift', 'refund')
    GROUP BY t.creator HAVING sum(-e.amount) > 0 ORDER BY coins DESC, t.creator LIMIT :limit
""")

LINES: Final = text("""
    SELECT e.version, e.amount, e.balance_after, t.id, t.kind, t.shard, t.epoch, t.seq, t.event_at, t.gift, t.quantity,
        t.room, t.creator, t.key, CASE t.kind WHEN 'gift' THEN t.note END AS note, p.id AS payment, p.currency,
        p.amount_minor
    FROM entry AS e JOIN transfer AS t ON t.id = e.transfer LEFT JOIN payment AS p ON p.transfer = t.id
    WHERE e.account = :account AND e.version > :after AND e.version <= :last ORDER BY e.version LIMIT :limit
""")


@dataclass(frozen=True, slots=True)
class WalletMonth:
    """A month of a wallet in coins; its entries are those with versions `first` to `last`, none when `last` is less."""

    account: int | None
    month: Month
    first: int
    last: int
    opening_coins: int
    closing_coins: int

    @property
    def entries(self) -> int:
        """How many there are."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True)
class Total:
    """Entries of one kind, and the coins they brought, or with a minus took."""

    kind: str
    entries: int
    coins: int


@dataclass(slots=True)
class MoneyMoved:
    """Money of a month in minor units of a currency: for coins, and what became of claims on earlier payments."""

    currency: str
    paid_minor: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0
    dispute_won_minor: int = 0
    dispute_lost_minor: int = 0


@dataclass(frozen=True, slots=True)
class CreatorShare:
    """What a creator got of the wallet, without what was given back."""

    creator: str
    gifts: int
    coins: int


@dataclass(frozen=True, slots=True)
class MonthSums:
    """The sums of a month: `totals` add up to closing less opening coins; gifts count each of a ×10 as one."""

    totals: list[Total]
    money: list[MoneyMoved]
    gifts_sent: int
    gifts_returned: int
    creators: list[CreatorShare]


@dataclass(frozen=True, slots=True)
class MonthLine:
    """One entry, with the payment it comes from if it does; `note` is what the sender wrote to a gift."""

    transfer: str
    kind: str
    coins: int
    balance_coins: int
    at: datetime
    gift: str | None
    quantity: int | None
    room: str | None
    creator: str | None
    key: str | None
    note: str | None
    payment: str | None
    currency: str | None
    amount_minor: int | None


async def months_of(engine: AsyncEngine, user: str, zone: tzinfo, now: datetime) -> list[WalletMonth]:
    """The months of a zone in which the user's wallet has entries, oldest first.

    An entry that claims to be of a month after `now` belongs to that of `now`.
    """
    async with engine.connect() as connection:
        return await _months_of(connection, user, zone, now)


async def month_of(engine: AsyncEngine, user: str, month: Month, zone: tzinfo, now: datetime) -> WalletMonth:
    """One month of the user's wallet, also when nothing moved in it."""
    found = await months_of(engine, user, zone, now)
    until = [one for one in found if one.month <= month]
    if until and until[-1].month == month:
        return until[-1]
    last, left = (until[-1].last, until[-1].closing_coins) if until else (0, 0)
    return WalletMonth(found[0].account if found else None, month, last + 1, last, left, left)


async def month_sums(engine: AsyncEngine, user: str, found: WalletMonth, zone: tzinfo) -> MonthSums:
    """What moved in a month."""
    piece = {"account": found.account, "first": found.first, "last": found.last}
    span = {"begins": found.month.begins(zone), "ends": found.month.following.begins(zone)}
    async with engine.connect() as connection:
        kinds = (await connection.execute(TOTALS, piece)).all()
        paid = (await connection.execute(PAID, {"user": user, **piece})).all()
        claimed = (await connection.execute(CLAIMED, {"user": user, **span})).all()
        top = await connection.execute(TOP, {**piece, "limit": CREATORS})
        creators = [CreatorShare(row.creator, row.gifts, row.coins) for row in top]
    money: dict[str, MoneyMoved] = {}
    for row in paid:
        money[row.currency] = MoneyMoved(row.currency, row.minor)
    for row in claimed:
        field = MOVES.get((row.kind, row.moved))
        if field is not None:
            setattr(money.setdefault(row.currency, MoneyMoved(row.currency)), field, row.minor)
    gifts = {row.kind: row.gifts for row in kinds}
    return MonthSums(
        [total for row in kinds for total in _totals(row)], [money[currency] for currency in sorted(money)],
        gifts.get("gift", 0), gifts.get("refund", 0), creators,
    )  # fmt: skip


async def month_lines(
    engine: AsyncEngine, found: WalletMonth, size: int = LINES_PAGE
) -> AsyncIterator[list[MonthLine]]:
    """The entries of a month, oldest first, page by page; no connection is held while a page is used."""
    after = found.first - 1
    while after < found.last:
        values = {"account": found.account, "after": after, "last": found.last, "limit": size}
        async with engine.connect() as connection:
            rows = (await connection.execute(LINES, values)).all()
        yield [_line(row) for row in rows]
        after = rows[-1].version


async def _months_of(connection: AsyncConnection, user: str, zone: tzinfo, now: datetime) -> list[WalletMonth]:
    beginning = (await connection.execute(BEGINNING, wallet(user)._asdict())).one_or_none()
    if beginning is None:
        return []
    names = months(Month.of(beginning.event_at, zone), Month.of(now, zone))
    values = {"account": beginning.id, "begins": [month.begins(zone) for month in names]}
    return [
        WalletMonth(beginning.id, names[row.place - 1], row.first, row.last, row.opening, row.closing)
        for row in await connection.execute(MONTHS, values)
    ]


def _totals(row: Any) -> list[Total]:
    paid = Total(row.kind, row.entries, row.coins - row.bonus)
    return [paid, Total(BONUS, row.with_bonus, row.bonus)] if row.bonus else [paid]


def _line(row: Any) -> MonthLine:
    return MonthLine(
        public_transfer(row), row.kind, row.amount, row.balance_after, row.event_at, row.gift, row.quantity, row.room,
        row.creator, row.key, row.note, row.payment, row.currency, row.amount_minor,
    )  # fmt: skip

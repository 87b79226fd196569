"""An account of the ledger as a statement: its last entries, each with its reference and its other side."""

from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.history import at_ms, public_transfer

PLATFORM: Final = "platform"
ASSETS: Final = {
    "wallet": "coins", "earnings": "diamonds", "frozen": "coins", "owed": "coins", "payout_held": "diamonds",
}  # fmt: skip
"""Assets of the kinds of account that people have."""

MONEY: Final = ("clearing", "disputed", "revenue", "charged_back", "paid_out")
"""Kinds of account in a currency, which their names end with."""

PAID_OUT: Final = "paid_out"
"""Kind that there is in diamonds, too: so it is meant where no currency is named."""

FIND: Final = text("""
    SELECT a.id, a.kind, a.owner, a.asset, a.balance, a.version, coalesce(sum(e.amount), 0)::bigint AS total,
        count(e.n) AS entries
    FROM account AS a LEFT JOIN entry AS e ON e.account = a.id
    WHERE a.kind = :kind AND a.owner = :owner AND (CAST(:asset AS text) IS NULL OR a.asset = :asset) GROUP BY a.id
""")

LINES: Final = text("""
    SELECT e.version, e.amount, e.balance_after, t.id, t.kind, t.shard, t.epoch, t.seq, t.event_at, t.sender, t.creator,
        t.room, t.gift, t.quantity, t.note, coalesce(t.key, t.reference) AS reference, ARRAY(
            SELECT DISTINCT CASE o.owner WHEN 'platform' THEN 'platform:' || o.kind ELSE o.kind || ':' || o.owner END
            FROM entry AS other JOIN account AS o ON o.id = other.account
            WHERE other.transfer = e.transfer AND o.asset = :asset AND o.id <> :account ORDER BY 1
        ) AS sides
    FROM entry AS e LEFT JOIN transfer AS t ON t.id = e.transfer
    WHERE e.account = :account ORDER BY e.version DESC LIMIT :last
""")


@dataclass(frozen=True, slots=True)
class AccountName:
    """How an account is named: kind and owner, of money also its currency. The platform owns its own."""

    kind: str
    owner: str
    asset: str | None = None

    @classmethod
    def parse(cls, name: str) -> "AccountName":
        """`earnings:<creator>`, `frozen:<user>`, `platform:<kind>`, `clearing:<provider>:<currency>`, `wallet:<user>`.

        Of the platform's money `platform:<kind>:<currency>`; `platform:paid_out` alone is that of diamonds. Anything
        else is a user's id.
        """
        prefix, colon, rest = name.partition(":")
        owner, _, currency = rest.rpartition(":")
        if colon and prefix in ASSETS:
            return cls(prefix, rest)
        if prefix in MONEY and currency:
            return cls(prefix, owner, currency)
        if colon and prefix == PLATFORM:
            if owner in MONEY:
                return cls(owner, PLATFORM, currency)
            return cls(rest, PLATFORM, "diamonds" if rest == PAID_OUT else None)
        return cls("wallet", name)

    def __str__(self) -> str:
        of = f"{PLATFORM}:{self.kind}" if self.owner == PLATFORM else f"{self.kind}:{self.owner}"
        return of if self.asset is None else f"{of}:{self.asset}"


@dataclass(frozen=True, slots=True)
class Account:
    """An account, and what its entries come to: `total` in its asset, `entries` in number."""

    id: int
    kind: str
    owner: str
    asset: str
    balance: int
    version: int
    total: int
    entries: int


@dataclass(frozen=True, slots=True)
class Line:
    """One entry: the amount in the account's asset, the balance after it, and the accounts on the other side."""

    number: int
    transfer: str
    kind: str
    amount: int
    balance: int
    at_ms: int
    reference: str | None
    what: str
    other_sides: list[str]


def gift_in_words(sender: str, creator: str, room: str, gift: str, quantity: int) -> str:
    """A gift as a line of a statement says it."""
    return f"{quantity} × {gift}, {sender} to {creator} in {room}"


async def find_account(connection: AsyncConnection, name: AccountName) -> Account | None:
    """The account of this name, None when there is none."""
    row = (await connection.execute(FIND, {"kind": name.kind, "owner": name.owner, "asset": name.asset})).one_or_none()
    return Account(*row) if row is not None else None


async def last_lines(connection: AsyncConnection, account: Account, last: int) -> list[Line]:
    """The account's last entries, oldest of them first."""
    rows = await connection.execute(LINES, {"account": account.id, "asset": account.asset, "last": last})
    return [_line(row) for row in reversed(rows.all())]


def _line(row: Any) -> Line:
    what = ""
    if row.kind in ("gift", "refund"):
        what = gift_in_words(row.sender, row.creator, row.room, row.gift, row.quantity)
        if row.kind == "refund":
            what = f"{what}: {row.note}"
    elif row.kind is not None and (row.kind.startswith(("claim", "payout")) or row.kind == "adjustment"):
        what = row.note or ""
    transfer = public_transfer(row) if row.id is not None else "missing"
    when = at_ms(row.event_at) if row.event_at is not None else 0
    return Line(
        row.version, transfer, row.kind or "?", row.amount, row.balance_after, when, row.reference, what, row.sides
    )

"""Which purchase a coin came from: first in, first out, worked out from the wallet's entries when it is asked.

Coins of one purchase that were claimed back are out of that purchase, whatever was bought before it. A gift that was
given back was never spent.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

OPENED: Final = "claim-open:"
WON: Final = "claim-won:"
REPAID: Final = "claim-repaid:"
"""How the references of transfers begin that take a purchase's coins out of a wallet, and bring them back."""

ENTRIES: Final = text("""
    SELECT t.id, t.kind, t.reverses, coalesce(t.reference, '') AS reference, e.amount
    FROM account AS a JOIN entry AS e ON e.account = a.id JOIN transfer AS t ON t.id = e.transfer
    WHERE a.kind = 'wallet' AND a.owner = :user AND a.asset = 'coins' ORDER BY e.version
""")

CLAIMS: Final = text("""
    SELECT c.id, p.transfer FROM claim AS c JOIN payment AS p ON p.id = c.payment WHERE p.user_id = :user
    UNION ALL SELECT id, transfer FROM payment WHERE user_id = :user AND transfer IS NOT NULL
""")


class WalletMove(NamedTuple):
    """One entry of a wallet."""

    id: int
    kind: str
    reverses: int | None
    reference: str
    amount: int


@dataclass(slots=True)
class Lot:
    """What became of the coins of one credit: how many are there still, and which gifts took how many."""

    left: int = 0
    gifts: dict[int, int] = field(default_factory=dict)


def lots_of(moves: Iterable[WalletMove], claims: dict[str, int]) -> dict[int, Lot]:
    """Every credit's lot, by its transfer; `claims` name the purchase's transfer of each claim, and payment."""
    entries = list(moves)
    undone = {move.reverses for move in entries if move.reverses is not None}
    lots: dict[int, Lot] = {}
    order: list[Lot] = []
    first = 0
    """Lots before this place are empty."""

    for move in entries:
        prefix, colon, claim = move.reference.partition(":")
        of = claims.get(claim) if colon and f"{prefix}:" in (OPENED, WON, REPAID) else None
        if of is None and (move.kind == "gift" or (move.kind == "adjustment" and move.amount < 0)):
            if move.id not in undone:
                first = _spend(order, first, move)
        elif of is not None or move.reverses is None:
            name = move.id if of is None else of
            if name not in lots:
                lots[name] = Lot()
                order.append(lots[name])
            lots[name].left += move.amount
            if of is not None and move.amount > 0:
                first = 0
    return lots


def _spend(order: list[Lot], first: int, gift: WalletMove) -> int:
    """Take a gift's coins from the oldest lots; the place of the first that may have some left."""
    due = -gift.amount
    for place in range(first, len(order)):
        lot = order[place]
        taken = min(due, lot.left)
        if taken > 0:
            lot.left -= taken
            if gift.kind == "gift":  # what operators took is spent, and reached nobody
                lot.gifts[gift.id] = lot.gifts.get(gift.id, 0) + taken
            due -= taken
        if not due:
            return first
        if place == first and lot.left <= 0:
            first += 1
    return first


async def lot_of(connection: AsyncConnection, user: str, transfer: int) -> Lot:
    """What became of the coins of one purchase."""
    claims = {row.id: row.transfer for row in await connection.execute(CLAIMS, {"user": user})}
    rows = await connection.execute(ENTRIES, {"user": user})
    moves = [WalletMove(*row) for row in rows]
    found = await asyncio.to_thread(lots_of, moves, claims)  # of people with many gifts it takes its time
    return found.get(transfer, Lot())

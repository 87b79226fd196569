"""Which purchase a coin came from: first in, first out, worked out from the wallet's entries when it is asked.

Coins of one purchase that were claimed back are out of that purchase, whatever was bought before it. A gift that was
given back was never spent.
"""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

OPENED: Final = "claim-open:"
WON: Final = "claim-won:"
"""How the references of transfers begin that take a purchase's coins out of a wallet, and bring them back."""

ENTRIES: Final = text("""
    SELECT t.id, t.kind, t.reverses, coalesce(t.reference, '') AS reference, e.amount
    FROM account AS a JOIN entry AS e ON e.account = a.id JOIN transfer AS t ON t.id = e.transfer
    WHERE a.kind = 'wallet' AND a.owner = :user AND a.asset = 'coins' ORDER BY e.version
""")

CLAIMS: Final = text("""
    SELECT c.id, p.transfer FROM claim AS c JOIN payment AS p ON p.id = c.payment WHERE p.user_id = :user
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


def lots_of(moves: Iterable[WalletMove], claims: dict[str, int]) -> "OrderedDict[int, Lot]":
    """Every credit's lot, by its transfer; `claims` name the transfer of the purchase that each claim is about."""
    entries = list(moves)
    undone = {move.reverses for move in entries if move.reverses is not None}
    lots: OrderedDict[int, Lot] = OrderedDict()
    for move in entries:
        prefix, colon, claim = move.reference.partition(":")
        of = claims.get(claim) if colon and f"{prefix}:" in (OPENED, WON) else None
        if of is not None:
            lots.setdefault(of, Lot()).left += move.amount
        elif move.kind == "gift":
            if move.id not in undone:
                _spend(lots, move)
        elif move.reverses is None:
            lots.setdefault(move.id, Lot()).left += move.amount
    return lots


def _spend(lots: "OrderedDict[int, Lot]", gift: WalletMove) -> None:
    due = -gift.amount
    for lot in lots.values():
        taken = min(due, lot.left)
        if taken > 0:
            lot.left -= taken
            lot.gifts[gift.id] = lot.gifts.get(gift.id, 0) + taken
            due -= taken
        if not due:
            return


async def lot_of(connection: AsyncConnection, user: str, transfer: int) -> Lot:
    """What became of the coins of one purchase."""
    claims = {row.id: row.transfer for row in await connection.execute(CLAIMS, {"user": user})}
    rows = await connection.execute(ENTRIES, {"user": user})
    return lots_of((WalletMove(*row) for row in rows), claims).get(transfer, Lot())

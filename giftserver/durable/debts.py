"""Debts of coins: spent, never paid for, and paid off by what somebody buys later.

Bought coins go to the wallet as always. In the same transaction a second transfer takes what is owed out of it
again: the wallet is on hold all the while, so nothing of that can be spent in between.
"""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, insert, text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.bookkeeping import COINS_SOLD, OWED_TO_PLATFORM, Name, owed, wallet
from giftserver.durable.claims import hold_reference
from giftserver.durable.credits import add_to_outbox
from giftserver.durable.holds import release_hold
from giftserver.durable.lots import REPAID
from giftserver.durable.posting import post
from giftserver.durable.tables import transfer

# The oldest first; who holds one of these rows waits for none of this user's that comes before it.
OWING: Final = text("""
    SELECT c.id, c.owed_coins - c.repaid_coins AS coins FROM claim AS c JOIN payment AS p ON p.id = c.payment
    WHERE p.user_id = :user AND c.state = 'lost' AND c.owed_coins > c.repaid_coins
    ORDER BY c.opened_at, c.id FOR UPDATE OF c
""")

REPAY: Final = text("UPDATE claim SET repaid_coins = repaid_coins + :coins, changed_at = now() WHERE id = :id")


@dataclass(frozen=True, slots=True)
class Debt:
    """A lost claim, and how many coins are still owed for it."""

    claim: str
    coins: int


def accounts_of(user: str) -> tuple[Name, ...]:
    """Accounts that paying off moves; to be locked together with those of what pays."""
    return wallet(user), COINS_SOLD, owed(user), OWED_TO_PLATFORM


async def lock_debts(connection: AsyncConnection, user: str) -> list[Debt]:
    """What somebody owes, locked in the caller's transaction: before any account is."""
    return [Debt(row.id, row.coins) for row in await connection.execute(OWING, {"user": user})]


async def pay_off(connection: AsyncConnection, payment: str, user: str, debts: list[Debt], coins: int) -> int:
    """Pay debts with coins that were just booked into the wallet; how many it took. Holds end with their debts."""
    left, paid = coins, []
    for debt in debts:
        part = min(debt.coins, left)
        if part:
            await connection.execute(REPAY, {"id": debt.claim, "coins": part})
            paid.append((debt, part))
            left -= part
    taken = coins - left
    if not taken:
        return 0
    reference = f"{REPAID}{payment}"
    values = {"kind": "claim_repaid", "coins": taken, "reference": reference, "event_at": func.now()}
    number = (await connection.execute(insert(transfer).values(values).returning(transfer.c.id))).scalar_one()
    signs = (-taken, taken, -taken, taken)
    await post(connection, number, list(zip(accounts_of(user), signs, strict=True)))
    await add_to_outbox(connection, user, number, -taken)
    for debt, part in paid:
        if part == debt.coins:
            await release_hold(connection, user, hold_reference(debt.claim))
    return taken

"""What payouts book: diamonds set aside, paid, given back, and the money that leaves a provider's clearing account.

Each is booked once for each payout: the transfer's reference is unique. The caller has the payout's row locked.
"""

from collections.abc import Sequence

from sqlalchemy import func, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.bookkeeping import PAID_OUT, Name, clearing, earnings, paid_out, payout_held
from giftserver.durable.posting import open_accounts, post
from giftserver.durable.tables import transfer

Money = tuple[str, str, int]
"""Provider, currency, and the amount in minor units."""


async def book_requested(connection: AsyncConnection, payout: str, user: str, diamonds: int) -> None:
    """Set diamonds aside; both accounts are there. Raises IntegrityError when the creator has not so many."""
    await _book(connection, "requested", payout, diamonds, [(earnings(user), -1), (payout_held(user), 1)])


async def book_undone(connection: AsyncConnection, payout: str, user: str, diamonds: int) -> None:
    """Give set aside diamonds back: nothing was paid."""
    await _book(connection, "undone", payout, diamonds, [(payout_held(user), -1), (earnings(user), 1)])


async def book_paid(connection: AsyncConnection, payout: str, user: str, diamonds: int, money: Money) -> None:
    """The provider paid: the diamonds are gone, and the provider owes us so much less."""
    await _book(connection, "paid", payout, diamonds, [(payout_held(user), -1), (PAID_OUT, 1)], money, 1)


async def book_returned(connection: AsyncConnection, payout: str, user: str, diamonds: int, money: Money) -> None:
    """What was paid came back: the creator has the diamonds again, and the provider the money."""
    await _book(connection, "returned", payout, diamonds, [(PAID_OUT, -1), (earnings(user), 1)], money, -1)


async def _book(
    connection: AsyncConnection, step: str, payout: str, diamonds: int, signs: Sequence[tuple[Name, int]],
    money: Money | None = None, paid: int = 0,
) -> None:  # fmt: skip
    """One transfer; `paid` is 1 when money leaves, -1 when it comes back."""
    amounts = [(name, sign * diamonds) for name, sign in signs]
    if money is not None:
        provider, currency, minor = money
        owing, spent = clearing(provider, currency), paid_out(currency)
        amounts += [(spent, paid * minor), (owing, -paid * minor)]
        await open_accounts(connection, [owing, spent])
    values = {
        "kind": f"payout_{step}", "coins": 0, "diamonds": diamonds, "reference": f"payout-{step}:{payout}",
        "event_at": func.now(),
    }  # fmt: skip
    number = (await connection.execute(insert(transfer).values(values).returning(transfer.c.id))).scalar_one()
    await post(connection, int(number), amounts)

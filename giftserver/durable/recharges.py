"""Booking a paid purchase: coins to the buyer, money to the provider's clearing account, one transfer for each payment.

In coins the platform's coins_sold pays what was paid for and its promotions what comes on top; in the currency the
revenue pays the clearing account of the provider, which holds what the provider owes us.
"""

from sqlalchemy import func, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.bookkeeping import COINS_SOLD, PROMOTIONS, Name, clearing, revenue, wallet
from giftserver.durable.credits import add_to_outbox
from giftserver.durable.posting import open_accounts, post
from giftserver.durable.tables import transfer


async def book_recharge(
    connection: AsyncConnection, payment: str, user: str, coins: int, bonus_coins: int, money: tuple[str, str, int]
) -> int:
    """Book a payment in the caller's transaction, with the credit that takes the coins to Redis; its transfer.

    `money` is the provider, the currency and the amount in minor units. Raises IntegrityError when the payment is
    booked already, or when the wallet would pass its limit.
    """
    provider, currency, amount_minor = money
    to, paid, owed = wallet(user), revenue(currency), clearing(provider, currency)
    await open_accounts(connection, [to, paid, owed])
    total = coins + bonus_coins
    values = {"kind": "recharge", "coins": total, "reference": f"recharge:{payment}", "event_at": func.now()}
    number = (await connection.execute(insert(transfer).values(values).returning(transfer.c.id))).scalar_one()
    amounts: list[tuple[Name, int]] = [(COINS_SOLD, -coins)]
    if bonus_coins:
        amounts.append((PROMOTIONS, -bonus_coins))
    amounts += [(to, total), (paid, -amount_minor), (owed, amount_minor)]
    await post(connection, number, amounts)
    await add_to_outbox(connection, user, number, total)
    return int(number)

"""Booking a paid purchase: coins to the buyer, money to the provider's clearing account, one transfer for each payment.

In coins the platform's coins_sold pays what was paid for and its promotions what comes on top; in the currency the
revenue pays the clearing account of the provider, which holds what the provider owes us. Who owes coins pays that
off first.
"""

from sqlalchemy import func, insert
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.bookkeeping import COINS_SOLD, PROMOTIONS, Name, clearing, revenue, wallet
from giftserver.durable.credits import add_to_outbox
from giftserver.durable.debts import accounts_of, lock_debts, pay_off
from giftserver.durable.posting import lock_accounts, open_accounts, post
from giftserver.durable.tables import transfer


async def book_recharge(
    connection: AsyncConnection, payment: str, user: str, coins: int, bonus_coins: int, money: tuple[str, str, int]
) -> tuple[int, int]:
    """Book a payment in the caller's transaction, with the credit that takes the coins to Redis.

    Its transfer, and how many of its coins paid what the buyer owed.

    `money` is the provider, the currency and the amount in minor units. Raises IntegrityError when the payment is
    booked already, or when the wallet would pass its limit.
    """
    provider, currency, amount_minor = money
    debts = await lock_debts(connection, user)
    to, paid, owed = wallet(user), revenue(currency), clearing(provider, currency)
    await open_accounts(connection, [to, paid, owed])
    total = coins + bonus_coins
    values = {"kind": "recharge", "coins": total, "reference": f"recharge:{payment}", "event_at": func.now()}
    number = (await connection.execute(insert(transfer).values(values).returning(transfer.c.id))).scalar_one()
    amounts: list[tuple[Name, int]] = [(COINS_SOLD, -coins)]
    if bonus_coins:
        amounts.append((PROMOTIONS, -bonus_coins))
    amounts += [(to, total), (paid, -amount_minor), (owed, amount_minor)]
    if debts:
        await lock_accounts(connection, sorted({name for name, _ in amounts} | {*accounts_of(user)}))
    await post(connection, number, amounts)
    await add_to_outbox(connection, user, number, total)
    return int(number), await pay_off(connection, payment, user, debts, total)

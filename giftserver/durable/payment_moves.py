"""What a provider says becomes true of a payment: by rank, and credited in the same transaction that says so."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import exists, func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.claim_news import hear_disputes, hear_refunds, reopened
from giftserver.durable.payment_tables import payment
from giftserver.durable.payments import PaymentRecord, add_step, has_bought, one_by_one, record_of, used_up
from giftserver.durable.recharges import book_recharge
from giftserver.durable.reviews import was_decided, was_promised_back
from giftserver.recharge.provider import Snapshot
from giftserver.recharge.states import ENDED_UNPAID, State, follows


@dataclass(frozen=True, slots=True)
class Applied:
    """What news did to a payment: how it stands now, whether its coins were booked by it, what was wrong with it."""

    payment: PaymentRecord
    changed: bool = False
    credited_coins: int = 0
    wrong: str | None = None
    promised_back: bool = False
    """Somebody decided that its money goes back: it is paid, and not credited."""


async def apply(
    engine: AsyncEngine, id: str, news: Snapshot, source: str, provider: str | None = None,
    asked_at: datetime | None = None,
) -> Applied | None:  # fmt: skip
    """Let what a provider says be true of a payment, and book its coins when it is paid; None when there is none.

    Disputes are kept whatever else is wrong with it. `asked_at`: when the provider was asked, None when not known.
    Raises IntegrityError when the ledger refuses the coins: then nothing is changed.
    """
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is None:
            return None
        wrong, told = mismatch(now, news), 0
        if provider is not None and provider != now.provider:
            wrong = f"{provider} speaks of an order of {now.provider}"
        elif _is_own(now, news):
            told = await hear_disputes(connection, id, news.disputes)
        kept_minor = _kept_minor(now, news, asked_at)
        if wrong is None and kept_minor and now.state is State.REFUNDED:
            wrong = f"{kept_minor} {news.currency} in minor units came back to the provider: give it back again"
        if wrong is not None:
            given_back = now.state is State.REFUNDED and now.transfer is None and news.payment == now.id
            if not kept_minor and (given_back or await was_decided(connection, id, wrong)):
                return Applied(now, wrong=wrong)
            return await _flag(connection, now, wrong, source)
        done = await _move(connection, now, news, source, asked_at)
        return replace(done, changed=done.changed or bool(told))


async def _locked(connection: AsyncConnection, id: str) -> PaymentRecord | None:
    """The payment, which nobody else moves until this transaction ends."""
    query = select(payment).where(payment.c.id == id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else record_of(row)


def _is_own(stored: PaymentRecord, news: Snapshot) -> bool:
    """Whether the news are of the payment's own checkout."""
    return news.payment == stored.id and (stored.provider_ref or news.ref) == news.ref


def mismatch(stored: PaymentRecord, news: Snapshot) -> str | None:
    """What contradicts the order, in words; None when nothing does.

    Money that came makes other words: who closed the trouble before is told of it.
    """
    paid = news.state is State.SUCCEEDED
    if not _is_own(stored, news):
        return f"the provider's {news.ref} is another order's" + (", and paid" if paid else "")
    if news.currency != stored.currency:
        return f"{'paid' if paid else 'priced'} in {news.currency}, asked for {stored.currency}"
    if news.state is State.SUCCEEDED and news.captured_minor != stored.amount_minor:
        return f"paid {news.captured_minor}, asked for {stored.amount_minor} {stored.currency} in minor units"
    return None


def _kept_minor(now: PaymentRecord, news: Snapshot, asked_at: datetime | None) -> int:
    """Minor units that a provider took for a payment and keeps while nothing is credited: never trouble that is over.

    Of a payment that was given back just now, the answer may be older than that.
    """
    if now.transfer is not None or news.payment != now.id or news.state is not State.SUCCEEDED:
        return 0
    if now.state is State.REFUNDED and (asked_at is None or asked_at <= now.updated_at):
        return 0
    return news.kept_minor


async def flag(engine: AsyncEngine, id: str, wrong: str, source: str) -> Applied | None:
    """Have a person look at a payment, of which something is said that cannot be; None when there is none."""
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        return None if now is None else await _flag(connection, now, wrong, source)


async def paid_unbooked(engine: AsyncEngine, id: str, news: Snapshot, source: str) -> None:
    """Say that a payment is paid whose coins the ledger refuses, so that somebody sees it; it is tried again."""
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is None or news.state is not State.SUCCEEDED or not follows(now.state, State.SUCCEEDED):
            return
        await _change(connection, id, state=State.SUCCEEDED, review="the ledger refuses the coins")
        await add_step(connection, id, State.SUCCEEDED, source, "the ledger refuses the coins")


async def expire(engine: AsyncEngine, id: str, source: str, *, at_once: bool = False) -> Applied | None:
    """End a payment whose provider has no checkout for it, once its time is over; None when there is none.

    `at_once`: the buyer gives it up, whatever the time.
    """
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is None:
            return None
        state = State.CANCELLED if at_once else State.EXPIRED
        if not (at_once or now.expires_at <= datetime.now(UTC)) or not follows(now.state, state):
            return Applied(now)
        ended = await _change(connection, id, state=state, promotion_held=False)
        await add_step(connection, id, state, source)
        return Applied(ended, True)


async def _flag(connection: AsyncConnection, now: PaymentRecord, wrong: str, source: str) -> Applied:
    if now.review == wrong:
        return Applied(now, wrong=wrong)
    changed = await _change(connection, now.id, review=wrong)
    await add_step(connection, now.id, now.state, source, wrong)
    return Applied(changed, True, wrong=wrong)


async def _move(
    connection: AsyncConnection, now: PaymentRecord, news: Snapshot, source: str, asked_at: datetime | None
) -> Applied:
    changes: dict[str, Any] = {}
    if now.provider_ref is None:
        changes |= {"provider_ref": news.ref}
    if news.url is not None and now.checkout_url is None:
        changes |= {"checkout_url": news.url}
    if news.method is not None and news.method != now.method:
        changes |= {"method": news.method}
    declined = news.decline is not None and news.decline != now.decline
    if declined:
        changes |= {"decline": news.decline}
    if follows(now.state, news.state):
        changes |= {"state": news.state}
        if news.state in ENDED_UNPAID:  # money may come all the same
            changes |= {"promotion_held": False, "ask_again_at": func.now() + timedelta(hours=1)}
    elif declined:
        await add_step(connection, now.id, now.state, source, news.decline or "")
    moved = await _change(connection, now.id, **changes) if changes else now
    if "state" in changes:
        await add_step(connection, now.id, news.state, source, news.decline or "" if declined else "")
    done = Applied(moved, bool(changes))
    if news.state is State.SUCCEEDED and moved.state is State.SUCCEEDED:
        done = await _credit(connection, moved, news, source)
    if done.payment.transfer is None:
        return done
    changed, wrong = await hear_refunds(connection, now.id, news, asked_at)
    done = replace(done, changed=done.changed or bool(changed))
    if again := await reopened(connection, now.id):
        wrong = f"dispute {again} was lost after it had been won"
    if wrong is not None and not await was_decided(connection, now.id, wrong):
        return await _flag(connection, done.payment, wrong, source)
    return done


async def _credit(connection: AsyncConnection, paid: PaymentRecord, news: Snapshot, source: str) -> Applied:
    if news.refunded_minor >= paid.amount_minor:
        refunded = await _change(connection, paid.id, state=State.REFUNDED, promotion_held=False)
        await add_step(connection, paid.id, State.REFUNDED, source, "before it was credited")
        return Applied(refunded, True)
    if await was_promised_back(connection, paid.id):
        return Applied(paid, promised_back=True)
    held = paid.promotion_held or await _hold_again(connection, paid)
    bonus = paid.bonus_coins if held else 0
    money = (paid.provider, paid.currency, paid.amount_minor)
    number, repaid = await book_recharge(connection, paid.id, paid.user_id, paid.coins, bonus, money)
    credited = await _change(
        connection,
        paid.id,
        state=State.CREDITED,
        transfer=number,
        decline=None,
        promotion_held=held,
        ask_again_at=func.now() + timedelta(hours=1),
    )
    lost = "" if bonus == paid.bonus_coins else "without the bonus, which another order has"
    await add_step(connection, paid.id, State.CREDITED, "ledger", lost)
    if repaid:
        await add_step(connection, paid.id, State.CREDITED, "ledger", f"{repaid} coins of it paid what was owed")
    return Applied(credited, True, paid.coins + bonus)


async def _hold_again(connection: AsyncConnection, paid: PaymentRecord) -> bool:
    """Whether a payment that let its promotion go, and is paid after all, may still have it."""
    if paid.promotion is None:
        return False
    await one_by_one(connection, paid.user_id)
    first = paid.first_purchase
    if first and await has_bought(connection, paid.user_id):
        return False
    same = payment.c.promotion == paid.promotion
    taken = exists().where(
        payment.c.user_id == paid.user_id, payment.c.promotion_held, same | payment.c.first_purchase if first else same
    )
    if await connection.scalar(select(taken)):
        return False
    uses_max = paid.promotion_uses_max
    return uses_max is None or not await used_up(connection, paid.promotion, uses_max)


async def _change(connection: AsyncConnection, id: str, **changes: Any) -> PaymentRecord:
    values = {**changes, "updated_at": func.now()}
    row = await connection.execute(update(payment).where(payment.c.id == id).values(values).returning(payment))
    return record_of(row.one())

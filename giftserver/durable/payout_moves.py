"""What becomes of a payout: held, sent, paid, failed, returned, cancelled, voided. Its row is locked for each step.

A payout is sent in two steps: `sending` is committed before the provider is asked, so that whoever comes after a crash
knows that it may have been asked.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.audit_log import Act, Actor, log_act
from giftserver.durable.bookkeeping import PAID_OUT, clearing, earnings, paid_out, payout_held
from giftserver.durable.holds import has_case_hold
from giftserver.durable.holds import in_turn as holds_in_turn
from giftserver.durable.own_affairs import check_other
from giftserver.durable.payout_booking import book_paid, book_returned, book_undone
from giftserver.durable.payout_stops import check_not_stopped
from giftserver.durable.payout_tables import payout, payout_step
from giftserver.durable.payouts import PayoutRecord, add_step, by_id
from giftserver.durable.posting import lock_accounts, open_accounts
from giftserver.recharge.payout_states import STOPPABLE, PayoutState
from giftserver.recharge.provider import PayoutNews

ON_HOLD: Final = "the wallet is on hold while a case is looked at"

NOT_PAID: Final = "not_paid"
"""Why a payout failed that a person looked at: what they wrote is for operators."""

ON_ITS_WAY: Final = "it is on its way"
Decision = Literal["paid", "failed", "dismiss"]

# Each is given to one asker, who has so long until another takes it up.
DUE: Final = text("""
    UPDATE payout SET ask_at = clock_timestamp() + CAST(:lease AS interval)
    WHERE id IN (SELECT id FROM payout WHERE ask_at <= clock_timestamp() ORDER BY ask_at LIMIT :limit
        FOR UPDATE SKIP LOCKED)
    RETURNING id, ask_at
""")


class NotStoppable(Exception):
    """The payout is on its way, or over. Nothing was changed."""

    def __init__(self, found: PayoutRecord) -> None:
        super().__init__(found.state)
        self.found = found


class NotDecidable(Exception):
    """Nobody has to look at the payout, or it cannot be decided so as it stands. Nothing was changed."""

    def __init__(self, found: PayoutRecord) -> None:
        super().__init__(found.state)
        self.found = found


@dataclass(frozen=True, slots=True)
class Due:
    """A payout to look at; `leased_until` is when others may, unless somebody hurries them."""

    id: str
    leased_until: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """What news did to a payout: how it stands now, whether it moved, what is wrong with the news."""

    payout: PayoutRecord
    moved: bool = False
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Payouts that are sending for long: of unknown outcome, or on their way by the provider's word; and in review."""

    unknown: int
    pending: int
    review: int


async def due_payouts(engine: AsyncEngine, limit: int, lease_s: float) -> list[Due]:
    """Payouts to look at now, those that wait longest first, each given to one asker for `lease_s`."""
    async with engine.begin() as connection:
        rows = await connection.execute(DUE, {"limit": limit, "lease": timedelta(seconds=lease_s)})
        return [Due(row.id, row.ask_at) for row in rows]


async def look_again(engine: AsyncEngine, due: Due, wait_s: float | None) -> None:
    """Look at a payout again after a while, or never; nothing where somebody hurries it since it was given out."""
    at = None if wait_s is None else func.clock_timestamp() + timedelta(seconds=wait_s)
    later = update(payout).where(payout.c.id == due.id, payout.c.ask_at == due.leased_until)
    async with engine.begin() as connection:
        await connection.execute(later.values(ask_at=at, tries=payout.c.tries + 1))


async def hurry(engine: AsyncEngine, id: str, provider: str) -> bool:
    """Have a payout looked at now, and often for a while; whether this provider was asked to pay such a one."""
    now = update(payout).where(payout.c.id == id, payout.c.provider == provider, payout.c.sent_at.is_not(None))
    async with engine.begin() as connection:
        return bool((await connection.execute(now.values(ask_at=func.clock_timestamp(), tries=0))).rowcount)


async def begin(engine: AsyncEngine, id: str) -> PayoutRecord | None:
    """Take a payout that was not sent a step on: to `sending`, or to `held`, or from there back; None for others.

    Whoever places or ends a hold comes before or after this transaction, never between its look and its step. Raises
    PayoutsStopped.
    """
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is None or now.state not in STOPPABLE:
            return None
        await check_not_stopped(connection)
        await holds_in_turn(connection, now.user_id)
        on_hold = await has_case_hold(connection, now.user_id)
        if on_hold:
            if now.state is PayoutState.HELD:
                return now
            return await _step(connection, now, PayoutState.HELD, "keeper", ON_HOLD)
        if now.state is PayoutState.HELD:
            return await _step(connection, now, PayoutState.REQUESTED, "keeper", "the hold is over")
        return await _step(connection, now, PayoutState.SENDING, "keeper", sent_at=func.now(), tries=0)


async def cancel(engine: AsyncEngine, id: str, user: str) -> PayoutRecord | None:
    """Take one's own payout back; None when there is none. Raises NotStoppable, PayoutsStopped."""
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is None or now.user_id != user or now.state is PayoutState.CANCELLED:
            return None if now is None or now.user_id != user else now
        await check_not_stopped(connection)  # it may have been sent, and this database not know it any more
        return await _stop(connection, now, PayoutState.CANCELLED, "creator")


async def void(engine: AsyncEngine, id: str, by: Actor, reason: str) -> PayoutRecord | None:
    """Stop somebody else's payout; None when there is none. Raises OwnAffair, NotStoppable."""
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is None:
            return None
        check_other(by, now.user_id)
        if now.state is PayoutState.VOIDED:
            return now
        stopped = await _stop(connection, now, PayoutState.VOIDED, "operator", reason)
        await log_act(connection, Act(by, "void_payout", "payout", id, reason, {"diamonds": now.diamonds}))
        return stopped


async def _stop(
    connection: AsyncConnection, now: PayoutRecord, state: PayoutState, source: str, reason: str | None = None
) -> PayoutRecord:
    if now.state not in STOPPABLE:
        raise NotStoppable(now)
    stopped = await _step(connection, now, state, source, reason or "", reason=reason, ask_at=None)
    await book_undone(connection, now.id, now.user_id, now.diamonds)
    return stopped


async def decide(engine: AsyncEngine, id: str, decision: Decision, by: Actor, reason: str) -> PayoutRecord | None:
    """End the review of somebody else's payout as a person found out; None when there is none.

    `paid` and `failed` book one that is sending as that, `dismiss` only ends the review of any other. Raises OwnAffair,
    NotDecidable.
    """
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is None:
            return None
        check_other(by, now.user_id)
        if now.review is None or (decision == "dismiss") == (now.state is PayoutState.SENDING):
            raise NotDecidable(now)
        if decision == "paid":
            done = await _step(connection, now, PayoutState.PAID, "operator", reason, review=None, paid_at=func.now())
            await book_paid(connection, now.id, now.user_id, now.diamonds, _money(now))
        elif decision == "failed":
            done = await _step(connection, now, PayoutState.FAILED, "operator", reason, review=None, reason=NOT_PAID)
            await book_undone(connection, now.id, now.user_id, now.diamonds)
        else:
            done = await _step(connection, now, now.state, "operator", reason, review=None)
        details = {"decision": decision, "diamonds": now.diamonds, "review": now.review[:200]}
        await log_act(connection, Act(by, "decide_payout", "payout", id, reason, details))
        return done


async def refused(engine: AsyncEngine, id: str, reason: str) -> PayoutRecord | None:
    """The provider sends nothing: the diamonds go back. None when the payout is not sending any more."""
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is None or now.state is not PayoutState.SENDING:
            return None
        return await _fail(connection, now, reason)


async def hear(engine: AsyncEngine, id: str, news: PayoutNews, provider: str, live: bool) -> Heard | None:
    """Let what a provider says of a payout be true; None when there is none.

    News of another amount, currency, payout or kind of money is never booked: a person has to look.
    """
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is None:
            return None
        wrong = mismatch(now, news, provider, live) or _contradiction(now, news)
        if wrong is not None:
            return await _flag(connection, now, wrong, news.ref)
        return await _move(connection, now, news)


async def flag(engine: AsyncEngine, id: str, wrong: str) -> None:
    """Have a person look at a payout."""
    async with engine.begin() as connection:
        now = await _locked(connection, id)
        if now is not None:
            await _flag(connection, now, wrong)


def mismatch(stored: PayoutRecord, news: PayoutNews, provider: str, live: bool) -> str | None:
    """What contradicts the payout's terms, in words; None when nothing does."""
    if news.payout != stored.id or (stored.provider_ref or news.ref) != news.ref or provider != stored.provider:
        return f"{provider}'s {news.ref} is another payout's"
    if news.live != live:
        return "real money where pretended is expected" if news.live else "pretended money where real is expected"
    if (news.amount_minor, news.currency) != (stored.amount_minor, stored.currency):
        asked = f"{stored.amount_minor} {stored.currency}"
        return f"{news.state}: {news.amount_minor} {news.currency}, asked for {asked} in minor units"
    return None


def _contradiction(now: PayoutRecord, news: PayoutNews) -> str | None:
    """Money that goes where it went back already, or that was never asked for."""
    if now.sent_at is None:
        return f"{now.provider} knows a payout that was never sent"
    if now.state is PayoutState.FAILED and news.state in ("paid", "pending"):
        return f"{now.provider} says {news.state}, and the diamonds are back already"
    if now.state is PayoutState.RETURNED and news.state == "paid":
        return f"{now.provider} says paid, after it had come back"
    return None


async def _move(connection: AsyncConnection, now: PayoutRecord, news: PayoutNews) -> Heard:
    if now.state is PayoutState.SENDING and news.state == "failed":
        return Heard(await _fail(connection, now, news.reason or "no reason was given", provider_ref=news.ref), True)
    if now.state is PayoutState.SENDING and news.state in ("paid", "returned"):
        if news.state == "returned":  # two transfers lock the same accounts
            await _lock_all(connection, now)
        now = await _step(
            connection, now, PayoutState.PAID, "provider", provider_ref=news.ref, paid_at=func.now(), review=None
        )
        await book_paid(connection, now.id, now.user_id, now.diamonds, _money(now))
        return Heard(await _return(connection, now, news) if news.state == "returned" else now, True)
    if now.state is PayoutState.PAID and news.state in ("returned", "failed"):
        return Heard(await _return(connection, now, news), True)
    if now.state is PayoutState.SENDING and now.provider_ref is None:
        return Heard(await _step(connection, now, now.state, "provider", ON_ITS_WAY, provider_ref=news.ref), True)
    return Heard(now)


async def _fail(connection: AsyncConnection, now: PayoutRecord, reason: str, **changes: Any) -> PayoutRecord:
    failed = await _step(
        connection, now, PayoutState.FAILED, "provider", reason, reason=reason[:300], review=None, **changes
    )
    await book_undone(connection, now.id, now.user_id, now.diamonds)
    return failed


async def _return(connection: AsyncConnection, now: PayoutRecord, news: PayoutNews) -> PayoutRecord:
    reason = news.reason or "no reason was given"
    returned = await _step(connection, now, PayoutState.RETURNED, "provider", reason, reason=reason[:300], review=None)
    await book_returned(connection, now.id, now.user_id, now.diamonds, _money(now))
    return returned


async def _lock_all(connection: AsyncConnection, now: PayoutRecord) -> None:
    names = [
        earnings(now.user_id), payout_held(now.user_id), clearing(now.provider, now.currency), paid_out(now.currency),
        PAID_OUT,
    ]  # fmt: skip
    await open_accounts(connection, names)
    await lock_accounts(connection, names)


def _money(now: PayoutRecord) -> tuple[str, str, int]:
    return now.provider, now.currency, now.amount_minor


async def _flag(connection: AsyncConnection, now: PayoutRecord, wrong: str, ref: str = "") -> Heard:
    """Have a person look, unless somebody has decided about these very words; the step keeps whose answer it was."""
    if now.review == wrong:
        return Heard(now, wrong=wrong)
    told = select(payout_step.c.n).where(
        payout_step.c.payout == now.id, payout_step.c.detail.startswith(wrong, autoescape=True)
    )
    if now.review is None and (await connection.execute(told.limit(1))).first() is not None:
        return Heard(now)
    detail = wrong if now.provider_ref is not None or ref in wrong else f"{wrong} ({now.provider}'s {ref})"
    return Heard(await _step(connection, now, now.state, "provider", detail, review=wrong), True, wrong)


async def _locked(connection: AsyncConnection, id: str) -> PayoutRecord | None:
    """The payout, which nobody else moves until this transaction ends."""
    await connection.execute(select(payout.c.id).where(payout.c.id == id).with_for_update())
    return await by_id(connection, id)


async def _step(
    connection: AsyncConnection, now: PayoutRecord, state: PayoutState, source: str, detail: str = "", **changes: Any
) -> PayoutRecord:
    values = {**changes, "state": state, "updated_at": func.now()}
    await connection.execute(update(payout).where(payout.c.id == now.id).values(values))
    await add_step(connection, now.id, state, source, detail)
    moved = await by_id(connection, now.id)
    assert moved is not None
    return moved


async def unsettled(engine: AsyncEngine, after_s: float) -> Unsettled:
    """How many payouts are sending for so long, and how many wait for a person's look."""
    since = func.clock_timestamp() - timedelta(seconds=after_s)
    long = select(func.count(), func.count(payout.c.provider_ref)).where(
        payout.c.state == PayoutState.SENDING, payout.c.sent_at < since
    )
    review = select(func.count()).where(payout.c.review.is_not(None))
    async with engine.connect() as connection:
        sending, known = (await connection.execute(long)).one()
        return Unsettled(sending - known, known, int(await connection.scalar(review) or 0))

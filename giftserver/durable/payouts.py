"""Payouts to creators as they are asked for and read; `payout_moves.py` has what becomes of them.

Requests of one person come one after the other, and with the creator's account locked: what is available, and what of
the day's maximum is left, is true until the diamonds are set aside.
"""

import re
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.bookkeeping import earnings, payout_held
from giftserver.durable.earnings import Standing, standing_of
from giftserver.durable.holds import has_case_hold
from giftserver.durable.payout_accounts import PayoutAccount, account_of, in_turn
from giftserver.durable.payout_booking import book_requested
from giftserver.durable.payout_stops import check_not_stopped
from giftserver.durable.payout_tables import payout, payout_account, payout_step
from giftserver.durable.posting import lock_accounts, open_accounts
from giftserver.recharge.payout_states import UNCOUNTED, PayoutState

PAGE_MAX: Final = 100
ID: Final = re.compile(r"out_[0-9a-f]{32}")
"""What the ids of payouts look like."""

REQUESTS_MAX: Final = 50
"""Payouts that one person asks for within a UTC day, whatever becomes of them."""


class NotAvailable(Exception):
    """The creator has not so many diamonds that can be paid out; `available` is what there is. Nothing was made."""

    def __init__(self, available: int) -> None:
        super().__init__(available)
        self.available = available


class DayIsFull(Exception):
    """The day's maximum would be passed: what is left of it, in minor units, and when it begins anew."""

    def __init__(self, left_minor: int, resets_at: datetime) -> None:
        super().__init__(left_minor)
        self.left_minor, self.resets_at = left_minor, resets_at


class InACase(Exception):
    """The creator's wallet is on hold because of a case. Nothing was made."""


class OtherAccount(Exception):
    """The account was changed since the caller read it, or cannot be used yet. Nothing was made."""

    def __init__(self, account: PayoutAccount | None) -> None:
        super().__init__()
        self.account = account


class TooManyRequests(Exception):
    """This person asked for REQUESTS_MAX payouts today. Nothing was made."""


@dataclass(frozen=True, slots=True)
class NewPayout:
    """The terms of a payout; they never change. `account` is the id of where it goes."""

    user: str
    key: str
    request_hash: str
    provider: str
    account: int
    diamonds: int
    amount_minor: int
    currency: str
    rate_version: int


@dataclass(frozen=True, slots=True)
class PayoutRecord:
    """A payout as stored, with the address it goes to; times are UTC, amounts minor units of `currency`."""

    id: str
    user_id: str
    key: str
    request_hash: str
    provider: str
    account: int
    diamonds: int
    amount_minor: int
    currency: str
    rate_version: int
    state: PayoutState
    provider_ref: str | None
    reason: str | None
    review: str | None
    ask_at: datetime | None
    tries: int
    sent_at: datetime | None
    paid_at: datetime | None
    created_at: datetime
    updated_at: datetime
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class PayoutStep:
    """Something that happened to a payout; `source` is who told: creator, operator, keeper, provider."""

    state: str
    source: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True)
class DayLeft:
    """What of a UTC day's maximum was asked for, in minor units, and when the next day begins."""

    asked_minor: int
    requests: int
    resets_at: datetime


@dataclass(frozen=True, slots=True)
class PayoutStanding:
    """What somebody can be paid out now, where to, and how much of the day is used."""

    diamonds: Standing
    day: DayLeft
    account: PayoutAccount | None


RECORD: Final = select(payout, payout_account.c.address).join(payout_account, payout_account.c.id == payout.c.account)


def new_id() -> str:
    """An id whose order is that of time."""
    return f"out_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"


def record_of(row: Any) -> PayoutRecord:
    """A row of RECORD as a record."""
    return PayoutRecord(**{**row._mapping, "state": PayoutState(row.state)})


async def standing(engine: AsyncEngine, user: str, currency: str) -> PayoutStanding:
    """How somebody stands, in one snapshot."""
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="REPEATABLE READ")
        now = await _now(connection)
        return PayoutStanding(
            await standing_of(connection, user),
            await _day(connection, user, currency, now),
            await account_of(connection, user),
        )


async def create_payout(engine: AsyncEngine, new: NewPayout, day_max_minor: int) -> PayoutRecord:
    """The payout of this person's key, made now if there is none, with its diamonds set aside.

    The caller compares `request_hash`: the key may stand for another payout. Raises PayoutsStopped, InACase,
    OtherAccount, TooManyRequests, DayIsFull, NotAvailable.
    """
    async with engine.begin() as connection:
        await in_turn(connection, new.user)
        known = await _by_key(connection, new.user, new.key)
        if known is not None:
            return known
        await check_not_stopped(connection)
        if await has_case_hold(connection, new.user):
            raise InACase
        account = await account_of(connection, new.user)
        if account is None or account.id != new.account or not account.usable:
            raise OtherAccount(account)
        now = await _now(connection)
        day = await _day(connection, new.user, new.currency, now)
        if day.requests >= REQUESTS_MAX:
            raise TooManyRequests
        if day.asked_minor + new.amount_minor > day_max_minor:
            raise DayIsFull(max(0, day_max_minor - day.asked_minor), day.resets_at)
        names = [earnings(new.user), payout_held(new.user)]
        await open_accounts(connection, names)
        await lock_accounts(connection, names)
        available = (await standing_of(connection, new.user)).available
        if new.diamonds > available:
            raise NotAvailable(available)
        id = new_id()
        values = {
            "id": id, "user_id": new.user, "key": new.key, "request_hash": new.request_hash,
            "provider": new.provider, "account": new.account, "diamonds": new.diamonds,
            "amount_minor": new.amount_minor, "currency": new.currency, "rate_version": new.rate_version,
            "created_at": now,
        }  # fmt: skip
        await connection.execute(insert(payout).values(values))
        made = await by_id(connection, id)
        assert made is not None
        await add_step(connection, made.id, PayoutState.REQUESTED, "creator")
        await book_requested(connection, made.id, made.user_id, made.diamonds)
        return made


async def _now(connection: AsyncConnection) -> datetime:
    moment: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
    return moment


async def _day(connection: AsyncConnection, user: str, currency: str, now: datetime) -> DayLeft:
    """What was asked for on the UTC day of a moment; the row of the one who asks is not there yet."""
    begins = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    counted = payout.c.state.not_in(UNCOUNTED) & (payout.c.currency == currency)
    query = select(
        func.coalesce(func.sum(payout.c.amount_minor).filter(counted), 0).label("minor"), func.count().label("requests")
    ).where(payout.c.user_id == user, payout.c.created_at >= begins)
    row = (await connection.execute(query)).one()
    return DayLeft(int(row.minor), row.requests, begins + timedelta(days=1))


async def _by_key(connection: AsyncConnection, user: str, key: str) -> PayoutRecord | None:
    row = (await connection.execute(RECORD.where(payout.c.user_id == user, payout.c.key == key))).one_or_none()
    return None if row is None else record_of(row)


async def by_id(connection: AsyncConnection, id: str) -> PayoutRecord | None:
    """One payout, in the caller's transaction."""
    row = (await connection.execute(RECORD.where(payout.c.id == id))).one_or_none()
    return None if row is None else record_of(row)


async def payout_by_id(engine: AsyncEngine, id: str) -> PayoutRecord | None:
    """One payout."""
    async with engine.connect() as connection:
        return await by_id(connection, id)


async def newest_payout_at(engine: AsyncEngine, provider: str) -> datetime | None:
    """When the newest payout by this provider was asked for; None when there is none."""
    newest = select(func.max(payout.c.created_at)).where(payout.c.provider == provider)
    async with engine.connect() as connection:
        found: datetime | None = await connection.scalar(newest)
        return found


async def payout_by_key(engine: AsyncEngine, user: str, key: str) -> PayoutRecord | None:
    """What a key of this person stands for."""
    async with engine.connect() as connection:
        return await _by_key(connection, user, key)


async def find_payouts(
    engine: AsyncEngine, user: str | None, state: PayoutState | None, *, review: bool, before: str | None, limit: int
) -> list[PayoutRecord]:
    """Payouts, newest first: of one person, in one state, or only those that wait for a look."""
    query = RECORD.order_by(payout.c.id.desc()).limit(max(1, min(limit, PAGE_MAX)))
    if user is not None:
        query = query.where(payout.c.user_id == user)
    if state is not None:
        query = query.where(payout.c.state == state)
    if review:
        query = query.where(payout.c.review.is_not(None))
    if before is not None:
        query = query.where(payout.c.id < before)
    async with engine.connect() as connection:
        return [record_of(row) for row in await connection.execute(query)]


async def steps_of(engine: AsyncEngine, id: str) -> list[PayoutStep]:
    """What happened to a payout, in order."""
    query = select(payout_step).where(payout_step.c.payout == id).order_by(payout_step.c.n)
    async with engine.connect() as connection:
        return [PayoutStep(row.state, row.source, row.detail, row.at) for row in await connection.execute(query)]


async def add_step(connection: AsyncConnection, id: str, state: PayoutState, source: str, detail: str = "") -> None:
    """Write down what happened; the payout's row is locked, or was made in this transaction."""
    next_n = select(func.coalesce(func.max(payout_step.c.n), 0) + 1).where(payout_step.c.payout == id)
    values = {"payout": id, "n": next_n.scalar_subquery(), "state": state, "source": source, "detail": detail[:300]}
    await connection.execute(insert(payout_step).values(values))

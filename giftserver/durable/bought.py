"""Limits at checkout: what a person has ordered in their day, month and session, against what they may."""

from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.limits import IN_TURN, Standing, standings, windows_of
from giftserver.ledger.limits import NONE, LimitReached, Windows
from giftserver.recharge.states import ENDED_UNPAID

# An order counts from when it is made; one that ends unpaid gives its share back, and so does one whose money went back
# before there were any coins. If money comes after the end it counts from then on: nobody could refuse it, but who
# orders after it is told.
COUNTS: Final = "user_id = :user AND state <> ALL(:unpaid) AND (state <> 'refunded' OR transfer IS NOT NULL)"

BOUGHT: Final = text(f"""
    SELECT coalesce(sum(coins) FILTER (WHERE counts_at >= to_timestamp(:day_s)), 0)::bigint AS day,
        coalesce(sum(coins) FILTER (WHERE counts_at >= to_timestamp(:month_s)), 0)::bigint AS month,
        coalesce(sum(coins) FILTER (WHERE counts_at >= :session_from), 0)::bigint AS session
    FROM (
        SELECT coins, coalesce((
            SELECT min(paid.at) FROM payment_step AS paid JOIN payment_step AS ended USING (payment)
            WHERE payment = p.id AND paid.state = 'succeeded' AND ended.state = ANY(:unpaid) AND ended.n < paid.n
        ), created_at) AS counts_at
        FROM payment AS p WHERE {COUNTS}
            AND updated_at >= least(to_timestamp(:month_s), CAST(:session_from AS timestamptz))
    ) AS ordered
""")


# Somebody is new until a day after their first purchase was paid, however long ago that was ordered.
NEW: Final = text(f"""
    SELECT coalesce(bool_and(paid_at > now() - interval '1 day'), true) AS new,
        coalesce(sum(coins), 0)::bigint AS coins,
        extract(epoch FROM min(paid_at) + interval '1 day')::bigint AS until_s
    FROM (
        SELECT coins, CASE WHEN transfer IS NOT NULL THEN (
            SELECT min(at) FROM payment_step WHERE payment = p.id AND payment_step.state IN ('succeeded', 'credited')
        ) END AS paid_at
        FROM payment AS p WHERE {COUNTS}
    ) AS ordered
""")


class LimitPassed(Exception):
    """The order would pass a limit. Nothing was made."""

    def __init__(self, limit: LimitReached) -> None:
        super().__init__(limit.kind)
        self.limit = limit


@dataclass(frozen=True, slots=True)
class Bought:
    """Coins a person has ordered and not given up; of the session 0 while there is none."""

    day: int
    month: int
    session: int


async def bought(connection: AsyncConnection, user: str, standing: Standing, around: Windows) -> Bought:
    """What was ordered in the day and the month of these windows, and since a budget runs."""
    values = {
        "user": user, "day_s": around.day_from_s, "month_s": around.month_from_s,
        "session_from": None if standing.budget is None else standing.budget.begins_at,
        "unpaid": [state.value for state in ENDED_UNPAID],
    }  # fmt: skip
    row = (await connection.execute(BOUGHT, values)).one()
    return Bought(row.day, row.month, row.session)


async def bought_now(engine: AsyncEngine, user: str, standing: Standing, around: Windows) -> Bought:
    """The same, for showing."""
    async with engine.connect() as connection:
        return await bought(connection, user, standing, around)


async def check_order(connection: AsyncConnection, user: str, coins: int, day_default: int, first_day: int) -> None:
    """Let an order of so many coins through, in the caller's transaction, which makes it; one after the other.

    `day_default`: coins a day of who has no limit of their own; `first_day`: coins that somebody may buy until a day
    after their first purchase; NONE for any. Raises LimitPassed.
    """
    await connection.execute(IN_TURN, {"user": user})
    for limit in await _limits(connection, user, day_default, first_day):
        if limit.spent_coins + coins > limit.coins:
            raise LimitPassed(limit)


async def left_to_buy(engine: AsyncEngine, user: str, day_default: int, first_day: int) -> int | None:
    """Coins that an order may be of now, for showing; None for any number."""
    async with engine.connect() as connection:
        limits = await _limits(connection, user, day_default, first_day)
    return min((max(0, limit.coins - limit.spent_coins) for limit in limits), default=None)


async def _limits(connection: AsyncConnection, user: str, day_default: int, first_day: int) -> list[LimitReached]:
    """The limits that an order must keep, with what was bought of each and when it ends."""
    standing = (await standings(connection, [user]))[user]
    now = await connection.scalar(select(func.now()))
    assert now is not None
    around = windows_of(standing, now.timestamp())
    ordered = await bought(connection, user, standing, around)
    found = [] if first_day == NONE else await _first_day(connection, user, first_day)
    locked_s = standing.limits().locked_until_s
    if locked_s:
        found.append(LimitReached("locked", 0, 0, locked_s))
    day = standing.most("day")
    most = day_default if day is None else day
    if most != NONE:
        found.append(LimitReached("day", most, ordered.day, around.day_until_s))
    month = standing.most("month")
    if month is not None:
        found.append(LimitReached("month", month, ordered.month, around.month_until_s))
    if standing.budget is not None:
        ends_s = int(standing.budget.ends_at.timestamp())
        found.append(LimitReached("session", standing.budget.coins, ordered.session, ends_s))
    return found


async def _first_day(connection: AsyncConnection, user: str, first_day: int) -> list[LimitReached]:
    values = {"user": user, "unpaid": [state.value for state in ENDED_UNPAID]}
    row = (await connection.execute(NEW, values)).one()
    return [LimitReached("new", first_day, row.coins, row.until_s or 0)] if row.new else []

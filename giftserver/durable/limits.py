"""What people decided that they may spend: written down once and for ever, and what holds of it now.

Of the decisions of one person, scope and field that have begun, the newest holds. One that makes what holds in all
stricter, or leaves it, begins at once, another one RAISE_S later, and a newer one takes the place of an older one that
has not begun. The number of what holds is how many have begun, so it only grows; Redis takes the newest number.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.limit_tables import limit_change
from giftserver.ledger.limits import NONE, UTC_ZONE, Limits, Windows, windows

RAISE_S: Final = 86_400
"""A looser limit begins so many seconds after it was asked for."""

LOOSER_MAX: Final = 100
"""So many decisions of one scope that begin later are taken within a day. What is stricter is never too much."""

DAYS_HELD_S: Final = 8 * 86_400
MONTHS_HELD_S: Final = 35 * 86_400
"""So long a zone that was left still counts for days and for months: a week, and the longest month, with what zones
differ by and what Redis may hear late."""

Scope = Literal["own", "guardian"]
Amount = Literal["gift", "day", "month"]
AMOUNTS: Final[tuple[Amount, ...]] = ("gift", "day", "month")

UNLIMITED: Final = float("inf")

IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('limits:' || :user, 0))")
"""One decision or order of a person after the other."""

# By the statement's time: whoever waited for their turn must see what was decided meanwhile. A decision that a newer
# one took the place of before it began never holds, also while the newer one waits. Of zones also those left lately.
HOLDING: Final = text("""
    WITH known AS (
        SELECT *, lead(asked_at) OVER (PARTITION BY user_id, scope, field ORDER BY id) AS replaced_at,
            count(*) FILTER (WHERE from_at <= statement_timestamp()) OVER (PARTITION BY user_id) AS number,
            max(id) FILTER (WHERE from_at <= statement_timestamp()) OVER (PARTITION BY user_id) AS newest
        FROM limit_change WHERE user_id = ANY(CAST(:users AS text[]))
    ), begun AS (
        SELECT *, lag(zone) OVER their AS zone_before, lead(from_at) OVER their AS until_at
        FROM known WHERE from_at <= statement_timestamp() AND (replaced_at >= from_at) IS NOT FALSE
        WINDOW their AS (PARTITION BY user_id, scope, field ORDER BY id)
    )
    SELECT user_id, scope, field, coins, zone, begins_at, ends_at, from_at, until_at, zone_before,
        statement_timestamp() AS now, number, newest
    FROM begun
    WHERE until_at IS NULL OR field = 'zone' AND until_at > statement_timestamp() - make_interval(secs => :held_s)
    ORDER BY user_id, scope, field, id DESC
""")

# Of each scope and field only the newest decision counts, begun or not.
WAITING: Final = text("""
    SELECT scope, field, coins, zone, from_at FROM (
        SELECT DISTINCT ON (scope, field) * FROM limit_change WHERE user_id = :user ORDER BY scope, field, id DESC
    ) AS newest WHERE from_at > statement_timestamp() ORDER BY from_at
""")


class Refused(Exception):
    """What was asked for cannot be; the message says why, in words for people. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Coins for a session, from one moment to another."""

    coins: int
    begins_at: datetime
    ends_at: datetime


@dataclass(slots=True)
class Standing:
    """What one person decided, or their guardian, as it holds now; None: not decided."""

    number: int = 0
    newest: int = 0
    read_at: datetime | None = None
    zone: str | None = None
    zones_before: list[tuple[str, datetime]] = field(default_factory=list)
    """Zones that held before, the latest first, each with the moment it was left."""
    coins: dict[tuple[Scope, Amount], int | None] = field(default_factory=dict)
    locked_until: dict[Scope, datetime] = field(default_factory=dict)
    budget: Budget | None = None

    def most(self, amount: Amount) -> int | None:
        """The stricter of the person's own limit and the guardian's."""
        decided = [self.coins.get((scope, amount)) for scope in ("own", "guardian")]
        return min((coins for coins in decided if coins is not None), default=None)

    def limits(self) -> Limits:
        """For the wallet in Redis."""
        gift, day, month = (NONE if (most := self.most(amount)) is None else most for amount in AMOUNTS)
        locked_s = max((int(until.timestamp()) for until in self.locked_until.values()), default=0)
        if self.budget is None:
            return Limits(gift, day, month, locked_until_s=locked_s)
        begins_s, ends_s = int(self.budget.begins_at.timestamp()), int(self.budget.ends_at.timestamp())
        return Limits(gift, day, month, self.budget.coins, begins_s, ends_s, locked_s)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A decision that begins later; `coins` None: no limit then."""

    scope: Scope
    field: str
    coins: int | None
    zone: str | None
    from_at: datetime


async def standings(connection: AsyncConnection, users: Sequence[str]) -> dict[str, Standing]:
    """What holds now for each of these people."""
    found = {user: Standing() for user in users}
    for row in await connection.execute(HOLDING, {"users": list(users), "held_s": MONTHS_HELD_S}):
        standing = found[row.user_id]
        standing.number, standing.newest, standing.read_at = row.number, row.newest, row.now
        if row.field == "zone":
            standing.zone = standing.zone or row.zone
            standing.zones_before.append((row.zone_before or UTC_ZONE, row.from_at))
        elif row.field == "locked":
            if row.ends_at > row.now:
                standing.locked_until[row.scope] = row.ends_at
        elif row.field == "session":
            if row.ends_at > row.now:
                standing.budget = Budget(row.coins, row.begins_at, row.ends_at)
        else:
            standing.coins[row.scope, row.field] = row.coins
    return found


async def standing_of(engine: AsyncEngine, user: str) -> tuple[Standing, list[Waiting]]:
    """What holds now for one person, and what begins later."""
    async with engine.connect() as connection:
        standing = (await standings(connection, [user]))[user]
        rows = await connection.execute(WAITING, {"user": user})
        return standing, [Waiting(*row) for row in rows]


async def check_number(connection: AsyncConnection, user: str, scope: Scope) -> None:
    """Let what was just decided stand, at the end of its transaction.

    Raises Refused where it is looser, or another zone, and there were too many of these in a day.
    """
    columns = limit_change.c
    later, since = columns.from_at > columns.asked_at, func.now() - timedelta(days=1)
    query = select(func.count(), func.coalesce(func.bool_or(columns.asked_at == func.now()), False)).where(
        columns.user_id == user, columns.scope == scope, columns.asked_at > since, later
    )
    number, just_now = (await connection.execute(query)).one()
    if just_now and number > LOOSER_MAX:
        raise Refused(
            "Limits were raised, or the time zone changed, very often within a day: do that tomorrow. "
            "Lower limits and breaks are taken now."
        )


async def decide_amounts(
    connection: AsyncConnection,
    user: str,
    scope: Scope,
    by: str,
    wishes: Mapping[Amount, int | None],
    day_default: int,
) -> None:
    """Set limits in coins, None for none of this scope, in the caller's transaction: stricter at once, looser later.

    Judged by what holds in all. `day_default` is the platform's limit of a day, NONE for none.
    """
    await connection.execute(IN_TURN, {"user": user})
    standing = (await standings(connection, [user]))[user]
    waiting = {(row.scope, row.field): row.coins for row in await _waiting(connection, user)}
    other: Scope = "guardian" if scope == "own" else "own"
    for amount, coins in wishes.items():
        before, beside = standing.coins.get((scope, amount)), standing.coins.get((other, amount))
        if coins == before and (scope, amount) not in waiting:
            continue
        default = day_default if amount == "day" and day_default != NONE else UNLIMITED
        looser = _looser(before, coins, {beside, waiting.get((other, amount), beside)}, default)
        await _write(connection, user, scope, by, amount, {"coins": coins}, RAISE_S if looser else 0)


def _looser(before: int | None, coins: int | None, besides: set[int | None], default: float) -> bool:
    """Whether `coins` allow more than `before`, together with what the other scope has, or will have before it ends."""
    return any(_in_force({coins, beside}, default) > _in_force({before, beside}, default) for beside in besides)


def _in_force(decided: set[int | None], default: float) -> float:
    """What holds in all: the strictest of what was decided, the platform's default where nothing was."""
    return min((coins for coins in decided if coins is not None), default=default)


async def decide_zone(connection: AsyncConnection, user: str, zone: str) -> None:
    """Count days and months in this zone, in the caller's transaction: the first one at once, another one later."""
    await connection.execute(IN_TURN, {"user": user})
    newest = select(limit_change.c.zone).where(limit_change.c.user_id == user, limit_change.c.field == "zone")
    before = await connection.scalar(newest.order_by(limit_change.c.id.desc()).limit(1))
    if before != zone:
        await _write(connection, user, "own", user, "zone", {"zone": zone}, 0 if before is None else RAISE_S)


async def decide_lock(connection: AsyncConnection, user: str, scope: Scope, by: str, hours: int) -> None:
    """Send and buy nothing for so many hours, in the caller's transaction. Raises Refused for an earlier end."""
    await connection.execute(IN_TURN, {"user": user})
    standing = (await standings(connection, [user]))[user]
    now = await connection.scalar(select(func.now()))
    assert now is not None
    until = now + timedelta(hours=hours)
    before = standing.locked_until.get(scope)
    if before is not None and until < before:
        raise Refused("A break can be made longer, not shorter.")
    await _write(connection, user, scope, by, "locked", {"ends_at": until}, 0)


async def decide_budget(connection: AsyncConnection, user: str, coins: int, hours: int) -> None:
    """A budget for the next hours, in the caller's transaction. Raises Refused where one runs that is stricter."""
    await connection.execute(IN_TURN, {"user": user})
    running = (await standings(connection, [user]))[user].budget
    now = await connection.scalar(select(func.now()))
    assert now is not None
    if running is None:
        begins, ends = now.replace(microsecond=0), now.replace(microsecond=0) + timedelta(hours=hours)
    else:
        if coins > running.coins:
            raise Refused("This session's budget can be lowered until it ends, not raised.")
        begins, ends = running.begins_at, running.ends_at
    await _write(connection, user, "own", user, "session", {"coins": coins, "begins_at": begins, "ends_at": ends}, 0)


async def _waiting(connection: AsyncConnection, user: str) -> Sequence[Any]:
    return (await connection.execute(WAITING, {"user": user})).all()


async def _write(
    connection: AsyncConnection, user: str, scope: Scope, by: str, name: str, values: dict[str, Any], after_s: int
) -> None:
    from_at = func.now() + timedelta(seconds=after_s)
    values = {"user_id": user, "scope": scope, "by_user": by, "field": name, "from_at": from_at, **values}
    await connection.execute(insert(limit_change).values(values))


async def due_limits(engine: AsyncEngine, limit: int) -> list[str]:
    """People whose decisions have begun and are not in Redis yet."""
    columns = limit_change.c
    query = (
        select(columns.user_id)
        .where(columns.from_at <= func.now(), columns.applied_at.is_(None))
        .group_by(columns.user_id)
        .order_by(func.min(columns.from_at))
        .limit(limit)
    )
    async with engine.connect() as connection:
        return list((await connection.execute(query)).scalars())


async def mark_limits(engine: AsyncEngine, user: str, standing: Standing) -> None:
    """Redis has what held when this was read; what was being written then is not marked."""
    columns = limit_change.c
    statement = update(limit_change).where(
        columns.user_id == user, columns.from_at <= standing.read_at, columns.id <= standing.newest,
        columns.applied_at.is_(None),
    )  # fmt: skip
    async with engine.begin() as connection:
        await connection.execute(statement.values(applied_at=func.now()))


async def limited_since(connection: AsyncConnection, within_s: float) -> list[str]:
    """People whose decisions were brought to Redis in the last seconds."""
    query = select(limit_change.c.user_id).where(limit_change.c.applied_at > func.now() - timedelta(seconds=within_s))
    return list((await connection.execute(query.distinct())).scalars())


def zone_of(standing: Standing) -> str:
    """The zone a person's days are counted in, as they chose it."""
    return standing.zone or UTC_ZONE


def zones_of(standing: Standing, at_s: float) -> str:
    """The zones that count at a moment (Unix seconds), for `windows`: that of now and those that were left lately.

    While they count, any two moments of a week (for months: of a month) have a zone in common, so that no sequence
    of zones allows more in that time than one of them alone: docs/decisions/0017-limits.md.
    """
    days, months = [zone_of(standing)], [zone_of(standing)]
    for zone, left_at in standing.zones_before:
        for zones, held_s in ((days, DAYS_HELD_S), (months, MONTHS_HELD_S)):
            if zone not in zones and left_at.timestamp() > at_s - held_s:
                zones.append(zone)
    return " ".join(days) if days == months else f"{' '.join(days)};{' '.join(months)}"


def windows_of(standing: Standing, at_s: float) -> Windows:
    """The day and month that a person's coins are counted in, around a moment (Unix seconds)."""
    return windows(zones_of(standing, at_s), at_s)

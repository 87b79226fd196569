"""Guardians: people whose limits hold for somebody else, from a code handed over until one of the two ends it."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, func, insert, select, text, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.limit_tables import guardian_code, guardian_link
from giftserver.durable.limits import AMOUNTS, Refused, decide_amounts

CODE_S: Final = 600
"""So long a code can be handed over."""

LETTERS: Final = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
"""Without those that look alike; ten of them are 49 bits."""

WARDS_MAX: Final = 20

IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('guardian:' || :user, 0))")
"""One code or link of a person after the other; taken before any row of theirs."""

WARDS_IN_TURN: Final = text("SELECT pg_advisory_xact_lock(hashtextextended('wards:' || :user, 0))")
"""One new ward of a guardian after the other, so that they are counted; taken after IN_TURN of the ward."""


@dataclass(frozen=True, slots=True)
class Link:
    """Who looks after whom, since when."""

    ward: str
    guardian: str
    ward_name: str
    guardian_name: str
    linked_at: datetime


async def make_code(engine: AsyncEngine, ward: str, ward_name: str) -> tuple[str, datetime]:
    """A new code of this person for their guardian, in place of older ones, and its end. Raises Refused."""
    code = "".join(secrets.choice(LETTERS) for _ in range(10))
    async with engine.begin() as connection:
        await connection.execute(IN_TURN, {"user": ward})
        if await _link(connection, ward) is not None:
            raise Refused("You have a guardian already.")
        await connection.execute(
            update(guardian_code)
            .where(guardian_code.c.ward == ward, guardian_code.c.used_at.is_(None))
            .values(used_at=func.now())
        )
        ends = func.now() + timedelta(seconds=CODE_S)
        values = {"hash": _hash(code), "ward": ward, "ward_name": ward_name, "expires_at": ends}
        made = await connection.execute(insert(guardian_code).values(values).returning(guardian_code.c.expires_at))
        return f"{code[:5]}-{code[5:]}", made.scalar_one()


async def link(engine: AsyncEngine, code: str, guardian: str, guardian_name: str) -> Link:
    """Make somebody the guardian of whoever made the code, which is used up by it. Raises Refused."""
    wrong = Refused("This code is wrong, was used, or has ended: ask for a new one.")
    async with engine.begin() as connection:
        made_for = await connection.scalar(select(guardian_code.c.ward).where(guardian_code.c.hash == _hash(code)))
        if made_for is None:
            raise wrong
        await connection.execute(IN_TURN, {"user": made_for})
        await connection.execute(WARDS_IN_TURN, {"user": guardian})
        taken = await connection.execute(
            update(guardian_code)
            .where(
                guardian_code.c.hash == _hash(code), guardian_code.c.used_at.is_(None),
                guardian_code.c.expires_at > func.now(),
            )
            .values(used_at=func.now())
            .returning(guardian_code.c.ward, guardian_code.c.ward_name)
        )  # fmt: skip
        made_by = taken.one_or_none()
        if made_by is None:
            raise wrong
        ward, ward_name = made_by
        if ward == guardian:
            raise Refused("Nobody is their own guardian.")
        if len(await _links(connection, guardian)) >= WARDS_MAX:
            raise Refused(f"You look after {WARDS_MAX} people already.")
        values = {"ward": ward, "ward_name": ward_name, "guardian": guardian, "guardian_name": guardian_name}
        made = await connection.execute(
            postgresql.insert(guardian_link).values(values).on_conflict_do_nothing().returning(guardian_link)
        )
        if made.one_or_none() is None:
            raise wrong
        found = await _link(connection, ward)
        assert found is not None
        return found


async def link_of(engine: AsyncEngine, ward: str) -> Link | None:
    """Who looks after this person now."""
    async with engine.connect() as connection:
        return await _link(connection, ward)


async def wards_of(engine: AsyncEngine, guardian: str) -> list[Link]:
    """Whom this person looks after now."""
    async with engine.connect() as connection:
        return await _links(connection, guardian)


async def is_guardian(connection: AsyncConnection, guardian: str, ward: str) -> bool:
    """Whether one looks after the other now; so it stays until the caller's transaction ends."""
    query = select(guardian_link.c.id).where(
        guardian_link.c.ward == ward, guardian_link.c.guardian == guardian, guardian_link.c.ended_at.is_(None)
    )
    return await connection.scalar(query.with_for_update(read=True)) is not None


async def unlink(engine: AsyncEngine, ward: str, by: str, day_default: int, *, as_guardian: bool) -> bool:
    """End it, by the guardian or by the ward; the guardian's limits end when raised ones begin. False: there was none.

    Whether the ward may is the caller's to judge: a minor may not.
    """
    columns = guardian_link.c
    mine = columns.guardian == by if as_guardian else columns.ward == by
    async with engine.begin() as connection:
        ended = await connection.execute(
            update(guardian_link)
            .where(columns.ward == ward, columns.ended_at.is_(None), mine)
            .values(ended_at=func.now(), ended_by=by)
        )
        if not ended.rowcount:
            return False
        await decide_amounts(connection, ward, "guardian", by, dict.fromkeys(AMOUNTS), day_default)
        return True


async def _link(connection: AsyncConnection, ward: str) -> Link | None:
    row = (await connection.execute(_query().where(guardian_link.c.ward == ward))).one_or_none()
    return None if row is None else Link(*row)


async def _links(connection: AsyncConnection, guardian: str) -> list[Link]:
    rows = await connection.execute(_query().where(guardian_link.c.guardian == guardian))
    return [Link(*row) for row in rows]


def _query() -> Select[Any]:
    columns = guardian_link.c
    chosen = (columns.ward, columns.guardian, columns.ward_name, columns.guardian_name, columns.linked_at)
    return select(*chosen).where(columns.ended_at.is_(None)).order_by(columns.linked_at)


def _hash(code: str) -> bytes:
    """Of a code as it may be typed."""
    return hashlib.sha256(code.upper().replace("-", "").replace(" ", "").encode()).digest()

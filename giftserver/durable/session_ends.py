"""Until when the tokens of a person count no more."""

from sqlalchemy import BigInteger, Column, DateTime, Index, PrimaryKeyConstraint, Table, Text, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.audit_log import Act, Actor, log_act
from giftserver.durable.tables import metadata

session_end = Table(
    "session_end",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("before_s", BigInteger, nullable=False),  # Unix seconds: tokens issued then or before are void
    Column("by_user", Text, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("user_id", name="session_end_pkey"),
)
Index("session_end_before", session_end.c.before_s)


async def end_sessions(engine: AsyncEngine, user: str, before_s: int, by: Actor) -> int:
    """Void a person's tokens issued up to a moment; the latest moment counts, and is returned."""
    made = insert(session_end).values(user_id=user, before_s=before_s, by_user=by.id)
    latest = func.greatest(session_end.c.before_s, made.excluded.before_s)
    kept = made.on_conflict_do_update(
        index_elements=[session_end.c.user_id], set_={"before_s": latest, "by_user": by.id, "at": func.now()}
    )
    async with engine.begin() as connection:
        ended_s = int((await connection.execute(kept.returning(session_end.c.before_s))).scalar_one())
        if by.id != user:
            await log_act(connection, Act(by, "end_sessions", "user", user))
    return ended_s


async def sessions_ended(engine: AsyncEngine, since_s: int) -> dict[str, int]:
    """By person, the moments from `since_s` on: older tokens have run out by themselves."""
    query = select(session_end.c.user_id, session_end.c.before_s).where(session_end.c.before_s >= since_s)
    async with engine.connect() as connection:
        return {row.user_id: row.before_s for row in await connection.execute(query)}

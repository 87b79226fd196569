"""What payment providers told us: each event kept once, looked at until there is an outcome."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.payment_tables import provider_event
from giftserver.recharge.provider import ProviderEvent

LATER_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
"""Waits between looks at an event that could not be dealt with; the last one again and again."""


@dataclass(frozen=True, slots=True)
class DueEvent:
    """An event without an outcome; `tries` looks were in vain."""

    provider: str
    id: str
    kind: str
    provider_ref: str
    payment: str
    tries: int
    received_at: datetime
    read_at: datetime
    """When it was read here, by the same clock."""


async def keep_events(engine: AsyncEngine, provider: str, events: Sequence[ProviderEvent]) -> int:
    """Keep events that are not here yet; how many were new."""
    if not events:
        return 0
    values = [
        {"provider": provider, "id": one.id, "kind": one.kind, "provider_ref": one.ref, "payment": one.payment}
        for one in events
    ]
    kept = insert(provider_event).values(values).on_conflict_do_nothing().returning(provider_event.c.id)
    async with engine.begin() as connection:
        return len((await connection.execute(kept)).all())


async def due_events(engine: AsyncEngine, limit: int) -> list[DueEvent]:
    """Events to look at now, those that wait longest first."""
    columns = provider_event.c
    query = (
        select(
            columns.provider,
            columns.id,
            columns.kind,
            columns.provider_ref,
            columns.payment,
            columns.tries,
            columns.received_at,
            func.clock_timestamp(),
        )
        .where(columns.outcome.is_(None), columns.next_at <= func.now())
        .order_by(columns.next_at)
        .limit(limit)
    )
    async with engine.connect() as connection:
        return [DueEvent(*row) for row in await connection.execute(query)]


async def settle_events(engine: AsyncEngine, events: Sequence[DueEvent], outcome: str) -> None:
    """These are dealt with."""
    await _update(engine, events, outcome=outcome)


async def put_off(engine: AsyncEngine, events: Sequence[DueEvent]) -> None:
    """Look at these again later."""
    wait_s = LATER_S[min(min(event.tries for event in events), len(LATER_S) - 1)]
    await _update(engine, events, tries=provider_event.c.tries + 1, next_at=func.now() + timedelta(seconds=wait_s))


async def _update(engine: AsyncEngine, events: Sequence[DueEvent], **values: object) -> None:
    ids = [event.id for event in events]
    where = (provider_event.c.provider == events[0].provider) & provider_event.c.id.in_(ids)
    async with engine.begin() as connection:
        await connection.execute(update(provider_event).where(where).values(**values))

"""Provider events that were kept: each payment they are about is asked for once, and moved."""

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.provider_events import DueEvent, due_events, put_off, settle_events
from giftserver.metrics import Metrics
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.provider import ProviderAway, ProviderRefused

log = structlog.get_logger()

PAGE: Final = 200
AT_ONCE: Final = 8
TRIES_MAX: Final = 40
"""Looks at an event about no payment of ours; the last thirty come once a minute."""


class EventProcessor:
    """Works off kept events. What fails for one payment holds up no other."""

    def __init__(self, database: AsyncEngine, inquiry: Inquiry, metrics: Metrics) -> None:
        self._database, self._inquiry, self._metrics = database, inquiry, metrics
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def step(self) -> int:
        """Look at what is due; how many events. Raises the driver's errors when PostgreSQL is away."""
        due = await due_events(self._database, PAGE)
        about: dict[tuple[str, str], list[DueEvent]] = {}
        for event in due:
            about.setdefault((event.provider, event.provider_ref), []).append(event)
        await asyncio.gather(*map(self._look, about.values()))
        return len(due)

    async def _look(self, events: Sequence[DueEvent]) -> None:
        async with self._turns:
            outcome = await self._outcome(events[0].provider, events[0].provider_ref)
        tries = min(event.tries for event in events)
        if outcome in ("away", "unknown") and (outcome == "away" or tries < TRIES_MAX):
            await put_off(self._database, events)
        else:
            await settle_events(self._database, events, outcome)
        self._metrics.provider_events.labels(events[0].provider, outcome).inc(len(events))

    async def _outcome(self, name: str, ref: str) -> str:
        provider = self._inquiry.providers.get(name)
        if provider is None:
            return "away"
        try:
            found = await provider.fetch(ref)
            done = None if found is None else await self._inquiry.heard(provider, found, "provider")
        except ProviderAway as problem:
            log.warning("provider_away", provider=name, reason=str(problem))
            return "away"
        except ProviderRefused as problem:
            log.error("provider_refused", provider=name, reason=str(problem))
            return "away"
        except IntegrityError as problem:
            log.error("payment_not_booked", provider=name, error=str(problem.orig).splitlines()[0])
            return "away"
        if done is None:
            return "unknown"
        return "refused" if done.wrong is not None else "done"

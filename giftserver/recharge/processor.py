"""Provider events that were kept: each payment they are about is asked for, and moved; of a payout its keeper is told.

What was asked after an event had come holds for that event too: the many events of one purchase are few questions.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.payment_moves import flag
from giftserver.durable.payout_moves import hurry
from giftserver.durable.payouts import ID as PAYOUT
from giftserver.durable.provider_events import DueEvent, due_events, put_off, settle_events
from giftserver.metrics import Metrics
from giftserver.recharge.inquiry import Inquiry
from giftserver.recharge.payout_watch import stop_for_unknown
from giftserver.recharge.provider import ProviderAway, ProviderRefused, Snapshot

log = structlog.get_logger()

PAGE: Final = 200
AT_ONCE: Final = 8
ASKED_MAX: Final = 10_000
NEWS_S: Final = 0.05
"""Looks that take longer do not keep the next events waiting."""

TRIES_MAX: Final = 40
"""Looks at an event about no payment of ours, or that the provider refuses; the last thirty come once a minute."""

DISPUTE: Final = "dispute"
FRAUD: Final = "fraud"
"""Kinds of events with these in their name need a person: the first where the provider's answer has no dispute, the
second always, for only a refund in time avoids the dispute that follows."""

Checkout = tuple[str, str]
"""A provider's name, and its reference."""


class EventProcessor:
    """Works off kept events. What fails or hangs for one payment holds up no other."""

    def __init__(self, database: AsyncEngine, inquiry: Inquiry, metrics: Metrics) -> None:
        self._database, self._inquiry, self._metrics = database, inquiry, metrics
        self._asked: dict[Checkout, datetime] = {}
        """When a checkout was last asked about with success, by the database's clock."""

        self._looks: dict[Checkout, asyncio.Task[None]] = {}

    async def step(self) -> int:
        """Begin to look at what is due, and wait a little for looks to end; how many events were due.

        Raises the driver's errors when PostgreSQL is away.
        """
        due = await due_events(self._database, PAGE)
        about: dict[Checkout, list[DueEvent]] = {}
        for event in due:
            if PAYOUT.fullmatch(event.payment):
                await self._hurry(event)
            else:
                about.setdefault((event.provider, event.provider_ref), []).append(event)
        known = [event for checkout, events in about.items() for event in events if self._is_known(checkout, event)]
        await self._settle(known, "done")
        for checkout, events in about.items():
            new = [event for event in events if event not in known]
            if new and checkout not in self._looks and len(self._looks) < AT_ONCE:
                self._looks[checkout] = asyncio.create_task(self._look(checkout, new), name="look at a payment")
        if self._looks:
            done, _ = await asyncio.wait(self._looks.values(), timeout=NEWS_S, return_when=asyncio.FIRST_COMPLETED)
            for checkout in [checkout for checkout, look in self._looks.items() if look in done]:
                self._looks.pop(checkout).result()
        return len(due)

    async def _hurry(self, event: DueEvent) -> None:
        """Have a payout's keeper ask at once; it books what becomes of it."""
        known = await hurry(self._database, event.payment, event.provider)
        if not known:
            await stop_for_unknown(self._database, event.provider, [event.payment])
        if not known and event.tries < TRIES_MAX:
            await put_off(self._database, [event])
            self._metrics.provider_events.labels(event.provider, "unknown").inc()
        else:
            await self._settle([event], "done" if known else "unknown")

    def _is_known(self, checkout: Checkout, event: DueEvent) -> bool:
        asked_at = self._asked.get(checkout)
        return asked_at is not None and event.received_at < asked_at

    async def _look(self, checkout: Checkout, events: Sequence[DueEvent]) -> None:
        outcome = await self._outcome(*checkout, [event.kind for event in events], events[0].read_at)
        tries = min(event.tries for event in events)
        if outcome == "away" or (outcome in ("unknown", "no") and tries < TRIES_MAX):
            await put_off(self._database, events)
            self._metrics.provider_events.labels(checkout[0], outcome).inc(len(events))
            return
        if outcome == "no":
            outcome = await self._give_up(checkout, events)
        if len(self._asked) >= ASKED_MAX:
            self._asked.clear()
        self._asked[checkout] = events[0].read_at
        await self._settle(events, outcome)

    async def _give_up(self, checkout: Checkout, events: Sequence[DueEvent]) -> str:
        """The provider will not say what events are about: a person asks it, about each payment that they name."""
        name, ref = checkout
        log.error("provider_event_given_up", provider=name, events=len(events))
        for payment in sorted({event.payment for event in events}):
            await flag(self._database, payment, f"{name} told of {ref} and refuses to say more: look at it there", name)
        return "given_up"

    async def _settle(self, events: Sequence[DueEvent], outcome: str) -> None:
        for name in {event.provider for event in events}:
            some = [event for event in events if event.provider == name]
            await settle_events(self._database, some, outcome)
            self._metrics.provider_events.labels(name, outcome).inc(len(some))

    async def _outcome(self, name: str, ref: str, kinds: Sequence[str], asked_at: datetime) -> str:
        provider = self._inquiry.providers.get(name)
        if provider is None:
            return "away"
        try:
            found = await provider.fetch(ref)
            done = None if found is None else await self._inquiry.heard(provider, found, "provider", asked_at)
            told = next((kind for kind in kinds if _is_trouble(kind, found)), None)
            if told is not None and found is not None:
                await flag(self._database, found.payment, f"{name} told {told}: look at it there", "provider")
        except ProviderAway as problem:
            log.warning("provider_away", provider=name, reason=str(problem))
            return "away"
        except ProviderRefused as problem:
            log.error("provider_refused", provider=name, reason=str(problem))
            return "no"
        except IntegrityError as problem:
            log.error("payment_not_booked", provider=name, error=str(problem.orig).splitlines()[0])
            return "away"
        if done is None:
            return "unknown"
        return "refused" if done.wrong is not None else "done"

    async def close(self) -> None:
        """End the looks that hang; their events are looked at again later."""
        for look in self._looks.values():
            look.cancel()
        await asyncio.gather(*self._looks.values(), return_exceptions=True)


def _is_trouble(kind: str, found: Snapshot | None) -> bool:
    name = kind.lower()
    return FRAUD in name or (DISPUTE in name and found is not None and not found.disputes)

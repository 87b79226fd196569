"""Webhooks: each event goes to the address of its session or payout, signed, again and again until it is taken."""

import asyncio
from collections import deque
from collections.abc import Iterator
from random import Random
from typing import Final

import httpx
import msgspec
import structlog

from giftserver.sandbox.background import Background
from giftserver.sandbox.book import Book
from giftserver.sandbox.config import SandboxConfig
from giftserver.sandbox.objects import AnyEvent, AnyKept, Event
from giftserver.sandbox.signing import HEADER, sign
from giftserver.trust import authorities

log = structlog.get_logger()

ANSWER_S: Final = 5.0
WAITS_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
GIVE_UP_S: Final = 86_400.0
STALE_S: Final = 3_600
PARALLEL_MAX: Final = 64
ANSWER_BYTES_MAX: Final = 65_536
GATHER_S: Final = 0.05
"""How long a shuffled session waits for events to shuffle."""

APART_S: Final = 0.2
"""How long a shuffled event is waited for before the next is sent."""

_FAILURES: Final = (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError, ValueError)


def waits_s() -> Iterator[float]:
    """Waits between attempts, the last one repeated, up to a day in all."""
    total_s, number = 0.0, 0
    while total_s < GIVE_UP_S:
        wait_s = WAITS_S[min(number, len(WAITS_S) - 1)]
        yield wait_s
        total_s, number = total_s + wait_s, number + 1


class Webhooks:
    """Deliveries in the background: one after the other for a session or payout, which are beside each other.

    With `shuffle` the events of one go out of order, and a failed one does not hold up the others.
    """

    def __init__(self, config: SandboxConfig, book: Book, background: Background) -> None:
        self._config, self._book, self._background = config, book, background
        self._queues: Final[dict[str, deque[AnyEvent]]] = {}
        self._senders: Final[dict[str, asyncio.Task[None]]] = {}
        self._places: Final = asyncio.Semaphore(PARALLEL_MAX)
        self._client: Final = httpx.AsyncClient(
            timeout=ANSWER_S,
            limits=httpx.Limits(max_connections=PARALLEL_MAX, max_keepalive_connections=PARALLEL_MAX),
            trust_env=False,
            verify=authorities(trust_env=False),
        )

    def resume(self) -> None:
        """Send what was not delivered before; after a start."""
        for event in self._book.undelivered:
            self.take(event)

    async def close(self) -> None:
        """Close the connections; the deliveries must have ended."""
        await self._client.aclose()

    def take(self, event: AnyEvent) -> None:
        """Deliver an event when its turn comes; nowhere if nobody is to be told."""
        about = event.about
        if not self._book.kept(event).webhook_url:
            self._book.delivered(event)
        elif about in self._queues:
            self._queues[about].append(event)
        else:
            self._queues[about] = deque([event])
            self._senders[about] = self._background.start(self._send(about))

    def again(self, event: AnyEvent) -> None:
        """Deliver an event once more, honestly and beside everything else; nowhere if nobody is to be told."""
        kept = self._book.kept(event)
        if kept.webhook_url:
            self._background.start(self._until_taken(kept, event, self._now_s))

    async def sent(self, session: str, limit_s: float) -> None:
        """Wait until a session's events are delivered, at most `limit_s`."""
        if session in self._senders:
            await asyncio.wait({self._senders[session]}, timeout=limit_s)

    @property
    def _now_s(self) -> int:
        return self._book.clock() // 1_000

    async def _send(self, about: str) -> None:
        queue = self._queues[about]
        while queue:
            shuffle = self._book.kept(queue[0]).mischief.shuffle
            events = [queue.popleft()]
            if shuffle:
                await asyncio.sleep(GATHER_S)
                events += queue
                queue.clear()
                events = shuffled(events, self._chances(events[0]))
            for event in events:
                delivery = self._background.start(self._deliver(event))
                await asyncio.wait({delivery}, timeout=APART_S if shuffle else None)
        del self._queues[about], self._senders[about]

    async def _deliver(self, event: AnyEvent) -> None:
        kept, chances = self._book.kept(event), self._chances(event)
        if kept.mischief.forge:
            await self._forge(kept, event)
        async with asyncio.TaskGroup() as copies:
            for _ in range(kept.mischief.copies):
                dropped = chances.random() < kept.mischief.drop
                delay_s = chances.uniform(0, kept.mischief.delay_s)
                if not dropped:
                    copies.create_task(self._copy(kept, event, delay_s))
        self._book.delivered(event)

    async def _copy(self, kept: AnyKept, event: AnyEvent, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._until_taken(kept, event, self._now_s - (STALE_S if kept.mischief.stale else 0))

    async def _until_taken(self, kept: AnyKept, event: AnyEvent, at_s: int) -> None:
        raw, age_s = msgspec.json.encode(event), self._now_s - at_s
        for wait_s in waits_s():
            signature = sign(self._config.webhook_secret, raw, self._now_s - age_s)
            if await self._post(kept.webhook_url, raw, signature):
                return
            await asyncio.sleep(wait_s * self._config.retry_scale)
        log.warning("webhook_given_up", event_id=event.id, kind=event.kind)

    async def _forge(self, kept: AnyKept, event: AnyEvent) -> None:
        """Two forgeries, each sent once: signed with another secret, and changed after it was signed."""
        raw = msgspec.json.encode(event)
        changed = msgspec.json.encode(_with_more_money(event))
        await self._post(kept.webhook_url, raw, sign(f"not {self._config.webhook_secret}", raw, self._now_s))
        await self._post(kept.webhook_url, changed, sign(self._config.webhook_secret, raw, self._now_s))

    async def _post(self, url: str, raw: bytes, signature: str) -> bool:
        """Send once; whether it was answered with 2xx in time."""
        headers = {"content-type": "application/json", HEADER: signature}
        async with self._places:
            try:
                async with (
                    asyncio.timeout(ANSWER_S),
                    self._client.stream("POST", url, content=raw, headers=headers) as answer,
                ):
                    await _read_out(answer)
                    return answer.is_success
            except _FAILURES as problem:
                log.info("webhook_failed", error=type(problem).__name__)
                return False

    def _chances(self, event: AnyEvent) -> Random:
        return Random(f"{self._book.kept(event).mischief.seed}/{self._book.place(event)}")


async def _read_out(answer: httpx.Response) -> None:
    """Read the answer's body, so that the connection can be used again; a long one is left."""
    size = 0
    async for chunk in answer.aiter_raw():
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            return


def _with_more_money(event: AnyEvent) -> AnyEvent:
    if not isinstance(event, Event):
        payout = msgspec.structs.replace(event.payout, amount_minor=event.payout.amount_minor + 1_000)
        return msgspec.structs.replace(event, payout=payout)
    amount_minor = event.session.amount_minor + 1_000
    session = msgspec.structs.replace(event.session, amount_minor=amount_minor, captured_minor=amount_minor)
    return msgspec.structs.replace(event, session=session)


def shuffled(events: list[AnyEvent], chances: Random) -> list[AnyEvent]:
    """The events in another order than theirs; one event alone has only one."""
    order = chances.sample(events, len(events))
    return order if order != events else [*events[1:], *events[:1]]

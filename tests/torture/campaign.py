"""One run: load, faults in cycles, and after each the proof that every coin is where it belongs."""

import asyncio
import contextlib
import itertools
import random
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from redis.exceptions import RedisError

from giftserver.away import DATABASE_ERRORS
from giftserver.durable.credits import credit, pending_credits
from giftserver.durable.refunds import due_refunds
from giftserver.durable.rooms import set_live, upsert_room
from giftserver.durable.store import flush_cursors
from giftserver.engines import Engines
from giftserver.ledger import keys
from tests.torture.checker import Checker, Verdict
from tests.torture.faults import KINDS, Injector
from tests.torture.history import Credit, Gift, History, Receipt
from tests.torture.stack import Stack
from tests.torture.waiting import rest, until
from tests.torture.workload import KEY_LIFE_MS, MENU, Load, Person, Rates, Sender

DRAIN_S: Final = 60.0
TAKES_AGAIN_S: Final = 45.0
SETTLED_S: Final = 2.0


@dataclass(frozen=True)
class Plan:
    """How much of everything; `gifts_max` 0 means as many as the time allows."""

    name: str = "viewer"
    people: int = 12
    sockets: int = 2
    rooms: int = 4
    window: int = 16
    gifts_max: int = 0
    menu: tuple[tuple[str, int], ...] = MENU
    """Gifts that are sent, each as often as its weight says."""
    quantity: tuple[int, int] = (1, 3)
    rates: Rates = field(default_factory=Rates)
    start_coins: int = 3_000
    top_up_coins: int = 1_500
    top_ups_per_s: float = 10.0


@dataclass
class Tally:
    """What one run did and found."""

    cycles: int = 0
    checks: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    resolved: int = 0
    """Gifts whose outcome a client did not know and learned at the end."""
    slowest_s: float = 0.0
    """Longest time from the end of a fault to gifts of everybody being decided again."""
    verdict: Verdict = field(default_factory=Verdict)
    failures: list[str] = field(default_factory=list)

    @property
    def violations(self) -> int:
        """Violations of money's rules, and of the rule that the system comes back."""
        return self.verdict.count + len(self.failures)


class Campaign:
    """Load and faults on one stack."""

    def __init__(self, stack: Stack, seed: int, plan: Plan, engines: Engines, history: History | None = None) -> None:
        self.stack, self.plan, self.engines = stack, plan, engines
        self.history, self.tally = history or History(), Tally()
        self.load = Load(self.history, seed, plan.menu, plan.quantity, plan.rates, plan.gifts_max)
        self.injector = Injector(stack, self.history, seed + 1)
        self._chance = random.Random(seed + 2)
        self._checked_s = 0.0
        self._tasks: list[asyncio.Task[None]] = []
        names = [f"{plan.name}{number}" for number in range(plan.people)]
        self.people = [
            Person(name, f"room{n % plan.rooms}", f"creator{n % plan.rooms}") for n, name in enumerate(names)
        ]
        self.people.append(Person("creator0", "room0", "creator0"))

    async def start(self) -> None:
        """Rooms, first coins, and all sockets."""
        for number in range(self.plan.rooms):
            creator = f"creator{number}"
            database = self.engines.database
            await upsert_room(database, f"room{number}", creator=creator, creator_name=creator, title=f"Room {number}")
            await set_live(database, f"room{number}", True)
        for person in self.people:
            if not person.creator_at_home:
                await self.top_up(person.user, self.plan.start_coins)
        addresses = itertools.cycle(self.stack.webs)
        for person in self.people:
            for _ in range(1 if person.creator_at_home else self.plan.sockets):
                window = 1 if person.creator_at_home else self.plan.window
                sender = Sender(self.load, person, lambda: next(addresses), self.stack.token, window)
                self._tasks.append(asyncio.create_task(sender.run()))
        if self.plan.top_ups_per_s:
            self._tasks.append(asyncio.create_task(self._top_ups()))

    async def stop(self) -> None:
        """End the load; what is in flight is cut."""
        self.load.stopping = True
        await asyncio.gather(*self._tasks)

    async def top_up(self, user: str, coins: int) -> Credit:
        """Credit coins; the answer may be lost with the database."""
        made = Credit(user, coins, f"torture:{len(self.history.credits)}")
        self.history.credits.append(made)
        await self._credit(made)
        return made

    async def _credit(self, made: Credit) -> None:
        with contextlib.suppress(*DATABASE_ERRORS):
            done = await credit(self.engines.database, made.user, made.coins, "top_up", made.reference)
            made.outcome, made.credit_no = "ok", done.credit_no

    async def _top_ups(self) -> None:
        while not self.load.stopping:
            if self.load.going:
                person = self._chance.choice([one for one in self.people if not one.creator_at_home])
                await self.top_up(person.user, self._chance.randint(1, self.plan.top_up_coins))
            await until(lambda: self.load.stopping, 1 / self.plan.top_ups_per_s)

    async def run_for(self, seconds: float) -> None:
        """Let the load run; less long when as many gifts were made as were asked for."""
        await until(lambda: self.load.full, seconds)

    async def cycle(self, names: Sequence[str]) -> None:
        """One fault under load, and everybody's gifts decided again after it."""
        for name in names:
            self.tally.faults[name] += 1
            back_s = await self.injector.inject(KINDS[name])
        self.tally.cycles += 1
        if not await until(lambda: self._all_decided_since(back_s), TAKES_AGAIN_S):
            silent = [one.user for one in self.people if self.load.decided_s.get(one.user, 0.0) < back_s]
            self.tally.failures.append(f"no gifts of {silent} {TAKES_AGAIN_S:.0f} s after {' and '.join(names)}")
            return
        self.tally.slowest_s = max(self.tally.slowest_s, time.monotonic() - back_s)

    def _all_decided_since(self, moment_s: float) -> bool:
        return self.load.full or all(self.load.decided_s.get(one.user, 0.0) > moment_s for one in self.people)

    async def check(self, *, proof: bool = True) -> Verdict:
        """Stop the load, learn every outcome, let everything reach PostgreSQL, and prove it; then go on."""
        self.load.pause()
        await self._resolve()
        await self._drain()
        if any(fault.at_s > self._checked_s for fault in self.history.faults):
            await self._settle()
        self._checked_s = time.monotonic()
        checker = Checker(self.history, self.engines.database, self.engines.ledger_redis)
        try:
            self.tally.verdict = await checker.check(proof=proof)
            if self.tally.verdict.violations:  # what is wrong stays wrong; what was on its way has arrived
                await self._settle()
                again = Checker(self.history, self.engines.database, self.engines.ledger_redis)
                self.tally.verdict = await again.check(proof=proof)
        except (*DATABASE_ERRORS, RedisError) as problem:
            self.tally.failures.append(f"nothing could be checked: {problem!r}; ended: {self.stack.dead() or 'none'}")
        self.tally.checks += 1
        self.load.go_on()
        return self.tally.verdict

    async def _resolve(self) -> None:
        """Every gift gets a final answer: its key is sent again, or asked for when it is too old for that."""
        load = self.load
        load.resolving = True
        until_s = time.monotonic() + DRAIN_S
        queued: set[int] = set()
        unknown: set[int] = set()
        while time.monotonic() < until_s:
            await self._settle_credits()
            open_ones = [gift for gift in self.history.gifts if not gift.final]
            unknown.update(gift.number for gift in open_ones if gift.unanswered)
            if not open_ones and not load.in_flight and not any(person.again for person in self.people):
                break
            for gift in open_ones:
                if time.time() * 1_000 - gift.key_ms >= KEY_LIFE_MS:
                    await self._ask(gift)
                elif gift.number not in queued and load.in_flight == 0:
                    queued.add(gift.number)
                    self._person(gift.user).again.append(gift)
            await asyncio.sleep(0.05)
        else:
            left = [gift.describe() for gift in self.history.gifts if not gift.final][:5]
            self.tally.failures.append(f"outcomes that nobody can learn: {left}, {load.in_flight} in flight")
        self.tally.resolved += len(unknown)
        load.resolving = False

    def _person(self, user: str) -> Person:
        return next(person for person in self.people if person.user == user)

    async def _ask(self, gift: Gift) -> None:
        attempt = gift.begin()
        try:
            status, found = await asyncio.to_thread(self._get, f"/v1/gifts/{gift.key}", gift.user)
        except (OSError, urllib.error.URLError):
            gift.end(attempt, "unknown", "asked")
            return
        if status == 200:
            told = Receipt(found["transfer"], found["coins"], found["diamonds"], found["balance_coins"])
            gift.end(attempt, "ok", "asked", told)
            gift.final = "ok"
        elif status == 404:
            gift.end(attempt, "fail", "asked")
            gift.final = "fail"
        else:
            gift.end(attempt, "unknown", "asked")

    def _get(self, path: str, user: str) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {self.stack.token(user)}"}
        request = urllib.request.Request(self._chance.choice(self.stack.webs) + path, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, msgspec.json.decode(answer.read())
        except urllib.error.HTTPError as problem:
            return problem.code, None

    async def _settle_credits(self) -> None:
        for made in self.history.credits:
            if made.outcome == "unknown":
                await self._credit(made)

    async def _drain(self) -> None:
        """Wait until every gift is in PostgreSQL and every credit in its wallet."""
        until_s = time.monotonic() + DRAIN_S
        state = "not looked yet"
        while time.monotonic() < until_s:
            try:
                state = await self._undrained()
            except (*DATABASE_ERRORS, RedisError) as problem:
                state = repr(problem)
            if not state:
                return
            await asyncio.sleep(0.05)
        self.tally.failures.append(f"not drained after {DRAIN_S:.0f} s: {state}")

    async def _settle(self) -> None:
        """Wait until no web process sends gifts again that a fault took: they look twice a second."""
        redis: Any = self.engines.ledger_redis
        before: list[Any] = []
        until_s = time.monotonic() + DRAIN_S
        while time.monotonic() < until_s:
            now = [await redis.hmget(keys.meta(shard), "epoch", "seq") for shard in range(keys.SHARDS)]
            if now == before:
                return
            before = now
            await rest(SETTLED_S)
            await self._drain()

    async def _undrained(self) -> str:
        redis: Any = self.engines.ledger_redis
        cursors = await flush_cursors(self.engines.database)
        for shard in range(keys.SHARDS):
            state, seq, flushed = await redis.hmget(keys.meta(shard), "state", "seq", "flushed")
            if state != b"open" or int(seq) != cursors[shard][1] or int(flushed or 0) != int(seq):
                return f"shard {shard:02d} is {state!r} at {seq!r}, flushed {flushed!r}, PostgreSQL at {cursors[shard]}"
        if due := await due_refunds(self.engines.database):
            return f"refunds wait: {due}"
        waiting = await pending_credits(self.engines.database, 1)
        return f"credits wait: {waiting}" if waiting else ""


@asynccontextmanager
async def campaign(stack: Stack, seed: int, plan: Plan, history: History | None = None) -> AsyncIterator[Campaign]:
    """A campaign under way on a running stack; one that follows another on it goes on with its history."""
    async with stack.clients() as engines:
        started = Campaign(stack, seed, plan, engines, history)
        await started.start()
        try:
            yield started
        finally:
            await started.stop()

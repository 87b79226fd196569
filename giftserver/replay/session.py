"""One replay: people, sockets, witnesses, taps in time, and then the questions to the server."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from giftserver.replay.api import Api, Refused, Unreachable
from giftserver.replay.chaos import Chaos
from giftserver.replay.gifter import Gifter, GiftRefused
from giftserver.replay.link import JSON, MSGPACK, Ended
from giftserver.replay.menu import Choice, choose_gifts
from giftserver.replay.people import NoIdentity, People
from giftserver.replay.proof import Proof, Sent
from giftserver.replay.report import Report, Row
from giftserver.replay.sdk import SdkWatcher, find_node
from giftserver.replay.tally import Tally
from giftserver.replay.watcher import Watcher
from giftserver.traces.trace import Tap, Trace

READY_S: Final = 15.0
LOOK_S: Final = 0.05
SPARE_COINS: Final = 500

Witness = Watcher | SdkWatcher


class ReplayFailed(Exception):
    """The replay cannot be made or finished; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play and how. `speed` divides the recorded times; `deadline_s` is for everything after the last tap."""

    trace: Trace
    room: str
    speed: float = 1.0
    chaos: bool = False
    seed: int = 0
    deadline_s: float = 60.0
    sdk: Path | None = None


@dataclass(slots=True)
class Session:
    """Runs one plan against one server."""

    api: Api
    people: People
    plan: Plan
    report: Report = field(init=False)
    _senders: dict[int, str] = field(init=False, default_factory=dict)
    _gifters: dict[int, Gifter] = field(init=False, default_factory=dict)
    _witnesses: list[Witness] = field(init=False, default_factory=list)
    _sent: list[Sent] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        self.report = Report(self.plan.trace)

    async def run(self) -> Report:
        """Play, wait, ask. Raises ReplayFailed, NoGift, NoIdentity, Refused and Unreachable."""
        chance = random.Random(self.plan.seed)
        chaos = Chaos(chance, on=self.plan.chaos)
        catalog = await self.api.get("/v1/catalog")
        choices = choose_gifts(self.plan.trace.taps, catalog)
        room = await self._live_room()
        await self._cast()
        try:
            async with asyncio.TaskGroup() as group:
                background = await self._connect(group, room, catalog, chaos, chance)
                await self._play(choices)
                await self._ask()
                for task in background:
                    task.cancel()
        except* GiftRefused as problems:
            raise ReplayFailed(_refusal_in_words(problems)) from problems
        except* (Ended, Refused, Unreachable, NoIdentity, ReplayFailed) as problems:
            raise ReplayFailed(str(_first(problems))) from problems
        if self.plan.chaos:
            resent = sum(gifter.resent for gifter in self._gifters.values())
            self.report.lines.append(f"Chaos (seed {self.plan.seed}): {chaos.report()}; {resent} commands sent again.")
        return self.report

    async def _live_room(self) -> dict[str, Any]:
        try:
            room = await self.api.get(f"/v1/rooms/{quote(self.plan.room, safe='')}")
        except Refused as problem:
            known = [found["id"] for found in (await self.api.get("/v1/rooms"))["rooms"]]
            there = f"there are {', '.join(known[:10])}" if known else "the server has no rooms yet"
            raise ReplayFailed(f"There is no room {self.plan.room}: {there}.") from problem
        if room["status"] != "live":
            raise ReplayFailed(f"Room {self.plan.room} is not live, so it takes no gifts: start the stream first.")
        return room

    async def _cast(self) -> None:
        """Give every recorded sender a person, and the coins that this run needs."""
        trace = self.plan.trace
        people = await self.people.senders(len(trace.senders))
        if not people:
            raise ReplayFailed("There is nobody to send gifts: name people with --senders.")
        need: dict[str, int] = {}
        self._senders = {sender: people[n % len(people)] for n, sender in enumerate(trace.senders)}
        for tap in trace.taps:
            user = self._senders[tap.sender]
            need[user] = need.get(user, 0) + tap.quantity * tap.price_coins
        for user, coins in need.items():
            await self._fund(user, coins)

    async def _fund(self, user: str, coins: int) -> None:
        if await self._balance(user) >= coins + SPARE_COINS:
            return
        given = await self.people.give_coins(user, coins + SPARE_COINS)
        loop = asyncio.get_running_loop()
        until_s = loop.time() + (READY_S if given else 0.0)
        while (balance := await self._balance(user)) < coins:
            if loop.time() >= until_s:
                raise ReplayFailed(f"{user} has {balance} coins and needs {coins}: credit them first.")
            await asyncio.sleep(LOOK_S)

    async def _balance(self, user: str) -> int:
        until_s = asyncio.get_running_loop().time() + READY_S
        wallet = await self.api.get_patiently("/v1/wallet", await self.people.token(user), until_s)
        return int(wallet["coins"])

    async def _connect(
        self, group: asyncio.TaskGroup, room: dict[str, Any], catalog: Mapping[str, Any], chaos: Chaos,
        chance: random.Random,
    ) -> list[asyncio.Task[None]]:  # fmt: skip
        """Open every socket and wait until the witnesses watch."""
        url, plan = self.api.socket_url(self.plan.room), self.plan
        prices = {gift["id"]: gift["coins"] for gift in catalog["gifts"]}

        async def credentials() -> tuple[dict[str, str], dict[str, str]]:
            token = await self.people.token(next(iter(self._senders.values())))
            return {}, {"Authorization": f"Bearer {token}"}

        tasks = []
        watchers = [
            Watcher("native client, msgpack", url, MSGPACK, Tally(prices), credentials, chance),
            Watcher("native client, JSON", url, JSON, Tally(prices), credentials, chance),
        ]
        if overlay := await self._overlay(url, room, prices, chance):
            watchers.append(overlay)
        for watcher in watchers:
            tasks.append(group.create_task(watcher.run(cuts=plan.chaos)))
        self._witnesses = [*watchers]
        if plan.sdk is not None:
            await self._add_sdk(group, tasks, SdkWatcher(plan.sdk, self.api.url, plan.room, Tally(prices)))
        for sender, user in self._senders.items():
            gifter = Gifter(url, partial(self.people.token, user), chance, chaos)
            self._gifters[sender] = gifter
            tasks.append(group.create_task(gifter.run()))
        await self._welcomed()
        return tasks

    async def _add_sdk(self, group: asyncio.TaskGroup, tasks: list[asyncio.Task[None]], sdk: SdkWatcher) -> None:
        node = await find_node()
        if node is None:
            self.report.lines.append(
                "The browser SDK was not a witness: there is no Node with a WebSocket (22, or 20.10)."
            )
            return
        self._witnesses.append(sdk)
        tasks.append(group.create_task(sdk.run(node)))

    async def _overlay(
        self, url: str, room: dict[str, Any], prices: Mapping[str, int], chance: random.Random
    ) -> Watcher | None:
        """The room's overlay as a witness, if we can be its creator."""
        try:
            token = await self.people.token(room["creator"]["id"], "creator")
            studio = await self.api.get(f"/v1/studio/{quote(room['id'], safe='')}", token)
        except Exception as problem:  # whatever is in the way, the other witnesses do without
            self.report.lines.append(f"The overlay was not a witness: {problem}")
            return None
        link = str(studio["overlay_url"]).rstrip("/").rsplit("/", 1)[-1]

        async def ticket() -> tuple[dict[str, str], dict[str, str]]:
            answer = await self.api.post("/v1/tickets", {"overlay": link})
            return {"ticket": answer["ticket"]}, {}

        return Watcher("overlay", url, MSGPACK, Tally(prices), ticket, chance)

    async def _welcomed(self) -> None:
        try:
            async with asyncio.timeout(READY_S):
                for witness in self._witnesses:
                    await witness.welcomed.wait()
        except TimeoutError:
            late = ", ".join(witness.name for witness in self._witnesses if not witness.welcomed.is_set())
            raise ReplayFailed(f"No welcome from room {self.plan.room} within {READY_S:.0f} s for: {late}.") from None

    async def _play(self, choices: Mapping[tuple[int, int], Choice]) -> None:
        """Every tap at its time, whatever becomes of the ones before; returns when all have their reply."""
        loop = asyncio.get_running_loop()
        started_s = loop.time()
        taps = []
        try:
            async with asyncio.timeout(self.plan.trace.length_ms / 1_000 / self.plan.speed + self.plan.deadline_s):
                async with asyncio.TaskGroup() as group:
                    for tap in self.plan.trace.taps:
                        wait_s = started_s + tap.at_ms / 1_000 / self.plan.speed - loop.time()
                        if wait_s > 0:
                            await asyncio.sleep(wait_s)
                        taps.append(group.create_task(self._tap(tap, choices[tap.gift, tap.price_coins])))
        except TimeoutError:
            waiting = sum(gifter.waiting for gifter in self._gifters.values())
            text = f"{waiting} gifts have no reply after the deadline of {self.plan.deadline_s:g} s"
            raise ReplayFailed(f"{text}: is the server running?") from None
        for gifter in self._gifters.values():
            if gifter.broken is not None:
                raise ReplayFailed(f"Idempotency is broken: {gifter.broken}.")

    async def _tap(self, tap: Tap, choice: Choice) -> None:
        user = self._senders[tap.sender]
        receipt = await self._gifters[tap.sender].send(choice.gift, tap.quantity * choice.each, choice.price_coins)
        self._sent.append(Sent(user, receipt))

    async def _ask(self) -> None:
        """Fill the report: the replies, the ledger, the statements, the witnesses."""
        loop = asyncio.get_running_loop()
        until_s = loop.time() + self.plan.deadline_s
        transfers = {gift.receipt.transfer for gift in self._sent}
        remark = f"{len(self._sent)} replies, {len(transfers)} transfers"
        rows = [Row("replies to the senders", sum(gift.receipt.coins for gift in self._sent), remark)]
        proof = Proof(self.api, self.people, until_s)
        rows.append(await proof.ledger_by_key(self._sent))
        rows.append(await proof.statements(self._sent))
        counts: list[int | None] = []
        while True:
            counts = [await proof.coins_of(one.tally, self.plan.room, transfers) for one in self._witnesses]
            if loop.time() >= until_s or all(count == self.plan.trace.true_coins for count in counts):
                break
            await asyncio.sleep(LOOK_S)
        for witness, count in zip(self._witnesses, counts, strict=True):
            rows.append(Row(witness.name, count, "; ".join(witness.remarks())))
        self.report.rows = rows


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    problem: BaseException = group
    while isinstance(problem, BaseExceptionGroup):
        problem = problem.exceptions[0]
    return problem


def _refusal_in_words(group: BaseExceptionGroup[GiftRefused]) -> str:
    problem = _first(group)
    code = problem.code if isinstance(problem, GiftRefused) else ""
    return f"A gift was refused ({code}): {problem}"

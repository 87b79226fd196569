"""The loads of the gift path's benchmark, and what one of them shows."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from loadtest.bench.figures import Values, percentile
from loadtest.bench.givers import ERRORS_MAX, SUBPROTOCOL, Givers, Kind, kind
from loadtest.bench.shown import FOLDED_MIN, Shown
from loadtest.bench.stack import Stack, creator_of
from loadtest.crowd import Crowd

SENDERS: Final = 64
SAMPLED: Final = 10
"""Viewers whose frames are decoded; of all others the marks are counted."""

HOT: Final = "hot"
QUIET: Final = tuple(f"quiet-{number:02d}" for number in range(16))
ROOMS: Final = (HOT, *QUIET)
UNSHOWN_MAX: Final = 2_000
"""Accepted gifts that the viewers have not seen, at most, where gifts are given as fast as they are shown."""

WARM_S: Final = 1.0
NOTHING_S: Final = 5.0
"""What does not come while nothing else comes either for so long does not come."""

LOOK_S: Final = 0.02

SMALL: Final = kind("dewdrop", 1)
MARKED: Final = kind("dewdrop", 1, marked=True)
LARGE: Final = kind("fountain", FOLDED_MIN)
PLAIN: Final = (SMALL,)
SOME_MARKED: Final = (MARKED, *[SMALL] * 49)
WITH_LARGE: Final = (MARKED, LARGE, *[SMALL] * 38)


@dataclass(frozen=True, slots=True)
class Case:
    """A load: gifts a second (0: as fast as possible) of these kinds in turn into these rooms; viewers of the first."""

    name: str
    per_s: int
    kinds: tuple[Kind, ...] = PLAIN
    rooms: tuple[str, ...] = QUIET
    viewers: int = 0


@dataclass(slots=True)
class Found:
    """What a case showed, and what was not as it must be, in words."""

    values: Values
    wrong: list[str]


async def run_case(stack: Stack, case: Case, people: Sequence[str], window: int, seconds: float) -> Found:
    """One case from the first socket to the last gift shown."""
    before = await stack.accepted()
    run = CaseRun(stack, case, people)
    try:
        await run.come()
        values = await run.measure(window, seconds)
        wrong = await run.check(await stack.accepted() - before)
    finally:
        await run.leave()
    return Found(values, wrong)


class CaseRun:
    """Givers, viewers, and the creator of the room, who is shown every gift by itself."""

    def __init__(self, stack: Stack, case: Case, people: Sequence[str]) -> None:
        self._stack, self._case, self._people = stack, case, people
        self._shown = [Shown() for _ in range(min(SAMPLED, case.viewers))]
        self._whole = Shown()
        url = f"ws://127.0.0.1:{stack.port}/v1/rooms/{case.rooms[0]}/ws"
        self._crowd = Crowd(url, subprotocol=SUBPROTOCOL, watch=self._watch)
        token = stack.token(creator_of(case.rooms[0]), "creator")
        self._creator = Crowd(url, subprotocol=SUBPROTOCOL, token=token, watch=lambda number: self._whole.read)
        self._givers = Givers(itertools.cycle(case.kinds), self._unshown)

    def _watch(self, number: int) -> Callable[[bytes], None] | None:
        return self._shown[number].read if number < len(self._shown) else None

    def _unshown(self, acked: int) -> int:
        return acked - self._shown[0].quantity if self._shown else 0

    async def come(self) -> None:
        """Open all sockets; returns when everybody was welcomed. Raises OSError, TimeoutError."""
        places = zip(itertools.cycle(self._case.rooms), self._people, strict=False)
        await self._givers.come(self._stack.port, [(room, self._stack.token(person)) for room, person in places])
        if self._case.viewers:
            await self._crowd.come(self._case.viewers)
            await self._creator.come(1)
            everybody = [*self._crowd.viewers, *self._creator.viewers]
            await wait_until(
                lambda: all(viewer.bytes for viewer in everybody), lambda: sum(viewer.bytes > 0 for viewer in everybody)
            )
            self._givers.unshown_max = UNSHOWN_MAX

    async def measure(self, window: int, seconds: float) -> Values:
        """Give, and count what happens once it runs evenly."""
        givers, totals = self._givers, self._crowd.totals
        for one in (*self._shown, self._whole):
            one.begin()
        self._crowd.count_anew()
        await self._give(window, WARM_S)
        givers.took_ns.clear()
        totals.lags_ns.clear()
        started_s, acked, shown, used = time.perf_counter(), givers.acked, self._quantity(), self._stack.cpu_s()
        await self._give(window, seconds)
        passed_s = time.perf_counter() - started_s
        values = {"acked_per_s": (givers.acked - acked) / passed_s}
        if self._case.per_s:
            values["unsent"] = givers.unsent
        if self._shown:
            values["shown_per_s"] = (self._quantity() - shown) / passed_s
        shares = {f"{name}_share": (now - used[name]) / passed_s for name, now in self._stack.cpu_s().items()}
        await wait_until(self._all_done, lambda: givers.acked + self._quantity())
        return values | lags("ack", givers.took_ns) | lags("shown", totals.lags_ns) | shares

    async def _give(self, window: int, seconds: float) -> None:
        if self._case.per_s:
            await self._givers.at_rate(self._case.per_s, seconds)
        else:
            await self._givers.as_fast(window, seconds)

    def _quantity(self) -> int:
        return self._shown[0].quantity if self._shown else 0

    def _all_done(self) -> bool:
        givers = self._givers
        if givers.acked != givers.sent:
            return len(givers.errors) >= ERRORS_MAX
        if self._shown and any(one.quantity != givers.acked for one in (*self._shown, self._whole)):
            return False
        return all(viewer.seen == givers.marks for viewer in self._crowd.viewers)

    async def check(self, accepted: int) -> list[str]:
        """What is not as it must be: the ledger has what was acknowledged, and everybody was shown that."""
        givers, wrong = self._givers, []
        if givers.errors:
            wrong.append(f"{len(givers.errors)} refusals or lost sockets: {givers.errors[0]!r}")
        if not givers.sent == givers.acked == accepted:
            wrong.append(f"{givers.sent:,} gifts sent, {givers.acked:,} acknowledged, {accepted:,} in the ledger")
        if self._case.viewers:
            wrong += list(self._not_shown())
        return [f"{self._case.name}: {words}" for words in wrong]

    def _not_shown(self) -> Iterator[str]:
        givers = self._givers
        given = givers.acked, givers.coins, self._large()
        everybody = (*self._shown, self._whole)
        seen = [(one.quantity, one.coins, len(one.large)) for one in everybody]
        odd = [one for one in seen if one != given]
        if odd:
            yield (
                f"{len(odd)} of {len(seen)} decoded viewers were not shown what was given (gifts, coins, large gifts): "
                f"{odd[0]}, not {given}"
            )
        if any(len(one.large) != len(set(one.large)) for one in everybody):
            yield "a large gift was shown twice"
        if self._whole.folds:
            yield f"the creator was shown {self._whole.folds} folded messages"
        unseen = sum(viewer.seen != givers.marks for viewer in self._crowd.viewers)
        if unseen or self._crowd.totals.lost:
            yield f"{unseen} viewers were not shown every marked gift, {self._crowd.totals.lost} sockets were lost"

    def _large(self) -> int:
        kinds = self._case.kinds
        rounds, rest = divmod(self._givers.sent, len(kinds))
        return sum(rounds + (place < rest) for place, one in enumerate(kinds) if one.coins >= FOLDED_MIN)

    async def leave(self) -> None:
        """Close all sockets."""
        self._givers.leave()
        await self._crowd.go()
        await self._creator.go()


def lags(name: str, took_ns: Sequence[int]) -> dict[str, float]:
    """Percentiles in ms; nothing of nothing."""
    if not took_ns:
        return {}
    return {f"{name}_p50_ms": percentile(took_ns, 50) / 1e6, f"{name}_p99_ms": percentile(took_ns, 99) / 1e6}


async def wait_until(condition: Callable[[], bool], progress: Callable[[], int]) -> None:
    """Wait for a condition, until there is no progress any more; what did not come is found by whoever checks."""
    came_s, before = time.monotonic(), progress()
    while not condition() and time.monotonic() < came_s + NOTHING_S:
        await asyncio.sleep(LOOK_S)
        if (now := progress()) != before:
            came_s, before = time.monotonic(), now

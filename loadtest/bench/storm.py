"""A restart storm: thousands of viewers of one room lose their web process at once, while gifts go on elsewhere.

    python -m loadtest.bench.storm --viewers 10000

All viewers are at one web process, another one that shares its port comes, and the first is killed with SIGKILL; its
parent starts it again. Its viewers come back as browsers do (loadtest/returning.py), to whichever process takes them,
and must be told exactly what they missed. Meanwhile people send gifts in another room: those at the process that lives
on must not notice much. Everything shares this machine's cores. Exit status: 0 all rules hold, 1 one fails.
"""

import asyncio
import contextlib
import itertools
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import uvloop
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from giftserver.app import open_history
from loadtest.bench.engines import temporary_folder
from loadtest.bench.figures import percentile
from loadtest.bench.givers import Keys
from loadtest.bench.rules import Rule, at_most, exit_status
from loadtest.bench.stack import Stack, open_stack
from loadtest.returning import SUBPROTOCOL, Homecoming, Returner
from rooms.history import EVENT

HOT, ELSEWHERE = "hot", "elsewhere"
PAYING: Final = 24
EVERY_S: Final = 0.2
SHOWN_EVERY_S: Final = 0.25
CALM_S: Final = 5.0
BACK_S: Final = 10.0
ACK_P99_MS: Final = 1_000

LOOK_S: Final = 0.02
GIVE_UP_S: Final = 120.0
COMING_AT_ONCE: Final = 100
LIMITS: Final = {"GIFTSERVER_ACCEPTS_PER_S": "2000"}


class Payer:
    """Sends a gift now and then in a room; one that got no answer goes out again under its key."""

    def __init__(self, stack: Stack, user: str, room: str, every_s: float) -> None:
        self._url = f"ws://127.0.0.1:{stack.port}/v1/rooms/{room}/ws"
        self._headers = {"Authorization": f"Bearer {stack.token(user)}"}
        self._every_s, self._keys = every_s, Keys()
        self.took: list[tuple[float, float]] = []
        """When a gift was first sent (monotonic s), and the seconds until it was answered."""

        self.moved = 0

    async def run(self) -> None:
        """Send until cancelled."""
        key, sent_s = self._key(), time.monotonic()
        while True:
            with contextlib.suppress(ConnectionClosed, InvalidStatus, OSError, TimeoutError):
                async with connect(
                    self._url, additional_headers=self._headers, subprotocols=[Subprotocol(SUBPROTOCOL)],
                    compression=None, max_queue=None,
                ) as socket:  # fmt: skip
                    while True:
                        gift = {"type": "send_gift", "id": 1, "key": key, "gift": "dewdrop", "quantity": 1}
                        await socket.send(json.dumps(gift))
                        while not any(m["type"] in ("reply", "error") for m in json.loads(await socket.recv())):
                            continue
                        self.took.append((sent_s, time.monotonic() - sent_s))
                        await asyncio.sleep(self._every_s)
                        key, sent_s = self._key(), time.monotonic()
            self.moved += 1
            await asyncio.sleep(random.random() * 0.5)

    def _key(self) -> str:
        return next(self._keys.some(1)).decode()

    def between(self, since_s: float, until_s: float) -> list[float]:
        """Milliseconds that gifts of this time took."""
        return [took_s * 1_000 for sent_s, took_s in self.took if since_s <= sent_s < until_s]


async def storm(stack: Stack, viewers: int) -> list[Rule]:
    """Gather, kill a process, wait until everybody is back; what was found."""
    home, chance = Homecoming(), random.Random(7)
    crowd = [Returner(("127.0.0.1", stack.port), HOT, home, chance) for _ in range(viewers)]
    payers = [Payer(stack, f"payer-{number}", ELSEWHERE, EVERY_S) for number in range(PAYING)]
    shown = Payer(stack, "shown", HOT, SHOWN_EVERY_S)
    tasks = [asyncio.create_task(shown.run())]
    for some in batches(crowd):
        await asyncio.gather(*(viewer.come() for viewer in some))
        await until(lambda some=some: all(viewer.here for viewer in some), GIVE_UP_S)  # type: ignore[misc]
    first = stack.web_pids[0]
    stack.start("web-2")
    await stack.ready("web-2")
    tasks += [asyncio.create_task(payer.run()) for payer in payers]
    gathered_s = time.monotonic()
    await asyncio.sleep(CALM_S)
    home.tries = home.sent_away = 0
    killed_s, moved = time.monotonic(), [payer.moved for payer in payers]
    os.kill(first, signal.SIGKILL)
    await until(lambda: len(home.back_s) == viewers, GIVE_UP_S)
    back_s = time.monotonic() - killed_s
    await asyncio.sleep(1.0)
    calm = [ms for payer in payers for ms in payer.between(gathered_s, killed_s)]
    stayed = [payer for payer, before in zip(payers, moved, strict=True) if payer.moved == before]
    stormy = [ms for payer in stayed for ms in payer.between(killed_s, killed_s + back_s)]
    others = [ms for payer in payers if payer not in stayed for ms in payer.between(killed_s - 1, killed_s + back_s)]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    wrong = await inexact(stack, crowd)
    for viewer in crowd:
        viewer.leave()
    say_ms("gifts of those whose process lives, before", calm)
    say_ms("the same, while the others come back", stormy)
    say_ms(f"gifts of the {len(payers) - len(stayed)} who came back too, their way included", others)
    away = f"{percentile(home.back_s, 50):.2f} s (median), {max(home.back_s):.2f} s (longest)"
    click.echo(f"  away {away}; {home.tries:,} tries, {home.sent_away:,} told to come later")
    exact = f"{home.resumed:,} resumed, {home.restarted:,} began anew, {wrong:,} counted other gifts than the history"
    return [
        at_most(f"{viewers:,} viewers lost their process and are back in", [back_s], BACK_S, " s"),
        Rule("all are told exactly what they missed", exact, home.restarted == wrong == home.repeated == 0),
        at_most("ack p99 of those whose process lives", [percentile(stormy, 99)] if stormy else [], ACK_P99_MS, " ms"),
    ]


async def inexact(stack: Stack, crowd: list[Returner]) -> int:
    """How many viewers were told of other gifts than the room's history has up to where they are. Every gift is one."""
    told = [(viewer.gifts, viewer.offset, viewer.since) for viewer in crowd]  # before: the history has all of it
    history = open_history(stack.settings, stack.engines.rooms_redis)
    _, records = await history.page(HOT, 0, 100_000)
    first = records[0].offset
    before = [0, *itertools.accumulate(int(record.kind == EVENT) for record in records)]
    return sum(
        gifts != before[offset - first + 1] - before[since - first + 1]
        for gifts, offset, since in told
        if since >= first - 1
    )


def batches(crowd: list[Returner]) -> list[list[Returner]]:
    """Some at a time."""
    return [crowd[start : start + COMING_AT_ONCE] for start in range(0, len(crowd), COMING_AT_ONCE)]


async def until(condition: Callable[[], bool], most_s: float) -> None:
    """Wait until it holds. Raises TimeoutError."""
    async with asyncio.timeout(most_s):
        for _ in itertools.takewhile(lambda _: not condition(), itertools.count()):
            await asyncio.sleep(LOOK_S)


def say_ms(what: str, took_ms: list[float]) -> None:
    """A line of latencies."""
    if took_ms:
        p50, p99 = percentile(took_ms, 50), percentile(took_ms, 99)
        click.echo(f"  {what}: p50 {p50:.1f}, p99 {p99:.1f}, longest {max(took_ms):.1f} ms, {len(took_ms)} gifts")


async def run(folder: Path, viewers: int) -> list[Rule]:
    """The storm in a giftserver of its own, and the proof."""
    people = [*(f"payer-{number}" for number in range(PAYING)), "shown"]
    async with open_stack(folder, None, (HOT, ELSEWHERE), people, LIMITS, 1) as stack:
        stack.start("flusher")
        found = await storm(stack, viewers)
        await stack.flushed()
        proof = await stack.proof()
        return [*found, Rule("verify is clean", f"{await stack.accepted():,} gifts", proof.holds)]


@click.command()
@click.option("--viewers", type=click.IntRange(2, 15_000), default=10_000, show_default=True)
def main(viewers: int) -> None:
    """Measure a restart storm; print what was found."""
    with temporary_folder() as folder, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(run(Path(folder), viewers))
    for rule in found:
        click.echo(f"  {rule}")
    raise SystemExit(exit_status(found))


if __name__ == "__main__":
    main()

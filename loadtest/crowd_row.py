"""A crowd (loadtest/crowd.py) beside Locust: a process of its own tells each second what its viewers were shown.

    python -m loadtest.crowd_row ws://127.0.0.1:8000/v1/rooms/harbour/ws --viewers 1000

It prints a line of JSON a second, and ends when its input ends. Locust's side, `CrowdRow`, turns the lines into rows.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any, Final

import click
import uvloop

from loadtest.crowd import Crowd

ROOT: Final = Path(__file__).resolve().parent.parent
SUBPROTOCOL: Final = "giftserver.v1.msgpack"
EVERY_S: Final = 1.0
LAGS_MAX: Final = 100
"""Lags that one line tells, drawn evenly from all of its second: percentiles stay what they are."""

Tell = Callable[[str, float, int, BaseException | None], None]
"""Adds a result to Locust's tables: name, what its columns show, bytes, failure."""


class CrowdRow:
    """Starts the crowd's process and tells what it reports."""

    def __init__(self, url: str, viewers: int, tell: Tell) -> None:
        command = [sys.executable, "-m", "loadtest.crowd_row", url, "--viewers", str(viewers)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        self._tell = tell

    def run(self) -> None:
        """Tell until the crowd has gone."""
        output: IO[bytes] | None = self._process.stdout
        assert output is not None
        with output:
            for line in output:
                self.take(json.loads(line))
        self._process.wait()
        self.stop()

    def take(self, seen: dict[str, Any]) -> None:
        """Tell a line: a sample of the second's lags, its deliveries, lost sockets, or that the crowd did not come."""
        if "problem" in seen:
            self._tell("crowd not let in", 0.0, 0, ConnectionError(seen["problem"]))
            return
        for lag_ms in seen["lags_ms"]:
            self._tell("crowd lag", lag_ms, 0, None)
        self._tell("crowd deliveries a second", seen["deliveries"], seen["bytes"], None)
        for _ in range(seen["lost"]):
            self._tell("crowd outage", 0.0, 0, ConnectionError("a viewer's socket was closed"))

    def stop(self) -> None:
        """Let the crowd go; its last line is still told by `run`."""
        if self._process.stdin is not None:
            self._process.stdin.close()


def evenly(lags_ms: Sequence[float], most: int = LAGS_MAX) -> list[float]:
    """So many of them, evenly spread over their order; all when there are no more."""
    ordered = sorted(lags_ms)
    if len(ordered) <= most:
        return ordered
    return [ordered[int((place + 0.5) * len(ordered) / most)] for place in range(most)]


async def watch(url: str, viewers: int, say: Callable[[dict[str, Any]], None]) -> None:
    """Let the viewers come and say each second what they saw, until the input ends."""
    crowd = Crowd(url, subprotocol=SUBPROTOCOL)
    try:
        await crowd.come(viewers)
    except OSError as problem:
        say({"problem": str(problem) or type(problem).__name__})
        return
    ended = asyncio.create_task(asyncio.to_thread(sys.stdin.buffer.read))
    while not ended.done():
        await asyncio.wait([ended], timeout=EVERY_S)
        say(line_of(crowd))
    await crowd.go()


def line_of(crowd: Crowd) -> dict[str, Any]:
    """What the crowd saw since the last line."""
    totals = crowd.totals
    line = {
        "deliveries": totals.deliveries,
        "bytes": totals.bytes,
        "lost": totals.lost,
        "lags_ms": [round(lag / 1e6, 3) for lag in evenly(totals.lags_ns)],
    }
    totals.clear()
    return line


@click.command()
@click.argument("url")
@click.option("--viewers", type=click.IntRange(1), required=True)
def main(url: str, viewers: int) -> None:
    """Watch a room with many viewers; a line of JSON a second."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(watch(url, viewers, lambda line: print(json.dumps(line), flush=True)))


if __name__ == "__main__":
    main()

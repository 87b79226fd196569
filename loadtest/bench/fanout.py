"""How many deliveries a core does: our rooms, what a user would otherwise pick, and what the kernel allows.

Each side is a server on one core; its viewers and its one publisher are on another. Per side and number of viewers:
messages as fast as the viewers are shown them (a window of 32 on their way), and fixed rates.
"""

import asyncio
import gc
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import click
import psutil  # type: ignore[import-untyped]
import uvloop

from loadtest.bench.figures import percentile
from loadtest.bench.publisher import Publisher
from loadtest.crowd import Crowd

HERE: Final = Path(__file__).parent / "fanout_sides"
SERVER_CORE, CROWD_CORE = 0, 1
WINDOW: Final = 32
STARTS_S: Final = 15.0
WARM_S: Final = 1.0


@dataclass(frozen=True)
class Side:
    """A server to measure: how it is started, and what it needs besides this project."""

    name: str
    command: tuple[str, ...]
    npm: str = ""
    path: str = "/"
    hello: bytes = b""


SIDES: Final = (
    Side("ours", (sys.executable, "-m", "loadtest.bench.fanout_sides.ours", "{port}", "20")),
    Side("ours, no tick", (sys.executable, "-m", "loadtest.bench.fanout_sides.ours", "{port}", "0")),
    Side("await send_bytes loop", (sys.executable, "-m", "loadtest.bench.fanout_sides.starlette_loop", "{port}")),
    Side("websockets.broadcast", (sys.executable, "-m", "loadtest.bench.fanout_sides.websockets_broadcast", "{port}")),
    Side("ws", ("node", "ws.mjs", "{port}"), npm="ws"),
    Side("uWebSockets.js", ("node", "uws.mjs", "{port}"), npm="@trufflesuite/uws-js-unofficial"),
    Side("C, a write a message", ("{limit}", "{port}", "each")),
    Side("C, merged", ("{limit}", "{port}", "merge")),
)


@dataclass
class Measured:
    """One side under one load."""

    side: str
    viewers: int
    load: str
    deliveries_per_s: float
    deliveries_per_cpu_s: float
    cpu_share: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    kib_per_viewer: float
    connects_per_s: float
    missing: int


class Bench:
    """Starts sides, one at a time, and measures them."""

    def __init__(self, peers: Path | None, seconds: float) -> None:
        self.peers, self.seconds = peers, seconds
        self._limit = Path(tempfile.gettempdir()) / f"giftserver-limit-{os.getpid()}"

    def possible(self, side: Side) -> bool:
        """Whether this machine has what the side needs."""
        if "{limit}" in side.command:
            return self._built()
        if side.npm:
            return self.peers is not None and (self.peers / "node_modules" / side.npm).is_dir()
        return True

    def _built(self) -> bool:
        if self._limit.exists():
            return True
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            return False
        return subprocess.run([compiler, "-O2", "-o", self._limit, HERE / "limit.c"], check=False).returncode == 0

    @contextmanager
    def serving(self, side: Side) -> Iterator[tuple[int, psutil.Process]]:
        """The side's port and process."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        places = {"port": str(port), "limit": str(self._limit)}
        command = ["taskset", "-c", str(SERVER_CORE), *(part.format(**places) for part in side.command)]
        folder = None
        if side.npm:
            assert self.peers is not None
            folder = self.peers
            shutil.copy(HERE / side.command[1], folder)
        process = subprocess.Popen(command, cwd=folder)
        try:
            until_s = time.monotonic() + STARTS_S
            while time.monotonic() < until_s:
                with socket.socket() as trying:
                    if trying.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.05)
            yield port, psutil.Process(process.pid)
        finally:
            process.kill()
            process.wait()

    async def measure(self, side: Side, viewers: int, loads: Sequence[int]) -> list[Measured]:
        """The side with so many viewers under each load (messages a second; 0: as fast as they are shown)."""
        with self.serving(side) as (port, process):
            before_kib = process.memory_info().rss / 1_024
            crowd = Crowd(f"ws://127.0.0.1:{port}{side.path}", hello=side.hello)
            took_s = await crowd.come(viewers)
            kib = (process.memory_info().rss / 1_024 - before_kib) / viewers
            publisher = Publisher("127.0.0.1", port)
            await publisher.connect()
            found = []
            for load in loads:
                found.append(await self._load(side.name, crowd, publisher, process, load))
                found[-1].kib_per_viewer, found[-1].connects_per_s = kib, viewers / took_s
            publisher.close()
            await crowd.go()
        return found

    async def _load(
        self, name: str, crowd: Crowd, publisher: Publisher, process: psutil.Process, load: int
    ) -> Measured:
        assert crowd.last is not None
        base = crowd.last.seen
        offset = publisher.sent

        def more(seen: int) -> None:
            publisher.keep(WINDOW, seen - base + offset)

        await self._some(crowd, publisher, load, WARM_S, more)
        await self._shown(crowd, publisher, base, offset)
        crowd.totals.clear()
        gc.collect()
        sent, cpu_s, started_s = publisher.sent, cpu_of(process), time.perf_counter()
        await self._some(crowd, publisher, load, self.seconds, more)
        seconds, cpu_s, deliveries = time.perf_counter() - started_s, cpu_of(process) - cpu_s, crowd.totals.deliveries
        await self._shown(crowd, publisher, base, offset)
        lags_ms = [lag / 1e6 for lag in crowd.totals.lags_ns] or [0.0]
        missing = (publisher.sent - sent) * len(crowd.viewers) - crowd.totals.deliveries
        return Measured(
            name, len(crowd.viewers), f"{load}/s" if load else f"window of {WINDOW}", deliveries / seconds,
            deliveries / cpu_s if cpu_s else 0.0, cpu_s / seconds, percentile(lags_ms, 50), percentile(lags_ms, 99),
            max(lags_ms), 0.0, 0.0, missing,
        )  # fmt: skip

    async def _some(self, crowd: Crowd, publisher: Publisher, load: int, seconds: float, more: Any) -> None:
        if load:
            await publisher.at_rate(load, seconds)
            return
        assert crowd.last is not None
        crowd.on_seen = more
        more(crowd.last.seen)
        await asyncio.sleep(seconds)
        crowd.on_seen = None

    async def _shown(self, crowd: Crowd, publisher: Publisher, base: int, offset: int) -> None:
        """Wait until everything that was published has been shown, or nothing comes any more."""
        until_s = time.monotonic() + 20
        while time.monotonic() < until_s:
            wanted = publisher.sent - offset + base
            if all(viewer.seen >= wanted for viewer in crowd.viewers):
                return
            await asyncio.sleep(0.1)


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and its children."""
    total = 0.0
    for one in (process, *process.children(recursive=True)):
        times = one.cpu_times()
        total += times.user + times.system
    return total


def line(one: Measured) -> str:
    """One row of the table."""
    return (
        f"{one.side:<24}{one.viewers:>8,}  {one.load:<14}{one.deliveries_per_s / 1e3:>10,.0f} k/s"
        f"{one.deliveries_per_cpu_s / 1e3:>10,.0f} k/CPU-s{one.cpu_share:>7.2f}"
        f"{one.p50_ms:>9.1f}{one.p99_ms:>9.1f}{one.max_ms:>9.1f} ms{one.kib_per_viewer:>8.1f} KiB"
        f"{one.connects_per_s:>8,.0f}/s{one.missing:>9,}"
    )


@click.command()
@click.option("--viewers", "counts", type=int, multiple=True, default=(1_000, 5_000), show_default=True)
@click.option("--rate", "rates", type=int, multiple=True, default=(0, 50, 200, 1_000), show_default=True)
@click.option("--side", "names", multiple=True, help="Only these sides.")
@click.option("--seconds", default=8.0, show_default=True, help="Length of each measurement.")
@click.option("--peers", type=click.Path(path_type=Path), help="Folder with the npm packages of the other servers.")
@click.option("--out", type=click.Path(path_type=Path), help="Where the figures go as JSON.")
def main(
    counts: tuple[int, ...], rates: tuple[int, ...], names: tuple[str, ...], seconds: float, peers: Path | None,
    out: Path | None,
) -> None:  # fmt: skip
    """Measure fan-out; print a table."""
    os.sched_setaffinity(0, {CROWD_CORE})
    bench = Bench(peers, seconds)
    found: list[Measured] = []
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for viewers in counts:
            for side in SIDES:
                if (names and side.name not in names) or not bench.possible(side):
                    continue
                for one in runner.run(bench.measure(side, viewers, rates)):
                    found.append(one)
                    click.echo(line(one))
    if out is not None:
        out.write_text(json.dumps([asdict(one) for one in found], indent=1))


if __name__ == "__main__":
    main()

"""Several web processes on one port, a loop each: started, replaced one by one, and kept alive."""

import asyncio
import os
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass
from typing import Any, Final

import structlog
from prometheus_client.multiprocess import mark_process_dead

from giftserver.errors import WrongSetting
from giftserver.settings import Settings
from giftserver.web.worker import listener_of

log = structlog.get_logger()

READY_S: Final = 60.0
AGAIN_S: Final = (0.2, 10.0)
"""The pause before a process that ended is started again: the first, and the longest; each is twice the last."""

STEADY_S: Final = 30.0
STOP_S: Final = 10.0
"""For a process to end, beyond what gifts in flight are given."""


@dataclass(eq=False)
class Worker:
    """One process."""

    slot: int
    process: asyncio.subprocess.Process
    lifeline: int
    ready: asyncio.Future[bool]
    """True when it listens, False when it ended before."""
    started_s: float


class Workers:
    """`count` processes. SIGTERM and SIGINT end them in order, SIGHUP replaces them one by one.

    A process that crashes is started again and the others notice nothing. A process that takes another's place listens
    before the other stops to; when it cannot, everything stays as it is.
    """

    def __init__(self, settings: Settings, count: int) -> None:
        self._settings, self._count, self._environment = settings, count, engines_of(settings)
        self._slots: dict[int, Worker] = {}
        self._alive: set[Worker] = set()
        self._watching: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._rolling: asyncio.Task[None] | None = None
        self._pauses_s = dict.fromkeys(range(count), AGAIN_S[0])

    async def run(self) -> int:
        """Run until told to stop; the exit code. Raises WrongSetting when the port is taken."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.roll)
        with tempfile.TemporaryDirectory(prefix="giftserver-metrics-") as counts, self._port():
            self._environment["PROMETHEUS_MULTIPROC_DIR"] = counts
            os.environ.update(self._environment)
            for slot in range(self._count):
                self._slots[slot] = await self._start(slot)
            begun = await self._all_ready()
            if begun:
                log.info("workers_ready", workers=self._count, port=int(self._environment["GIFTSERVER_PORT"]))
                await self._stopping.wait()
            self._stopping.set()
            await self._end()
        return 0 if begun else 1

    async def _all_ready(self) -> bool:
        """Whether all of the first processes listen; not when one ended before, or when told to stop meanwhile."""
        told: asyncio.Future[Any] = asyncio.create_task(self._stopping.wait())
        for worker in self._slots.values():
            await asyncio.wait((worker.ready, told), return_when=asyncio.FIRST_COMPLETED)
        told.cancel()
        return all(worker.ready.done() and worker.ready.result() for worker in self._slots.values())

    def _port(self) -> socket.socket:
        """Hold the port without listening, so that nobody else takes it while processes come and go."""
        try:
            held = listener_of(self._settings)
        except OSError as problem:
            raise WrongSetting(
                f"Port {self._settings.port} cannot be used ({problem}): set GIFTSERVER_PORT"
            ) from problem
        self._environment["GIFTSERVER_PORT"] = str(held.getsockname()[1])
        return held

    def stop(self) -> None:
        """Begin to end; the second time, at once."""
        if self._stopping.is_set():
            self._signal_all(signal.SIGTERM)
        self._stopping.set()

    def roll(self) -> None:
        """Replace all processes, one after the other; one roll at a time."""
        if not self._stopping.is_set() and (self._rolling is None or self._rolling.done()):
            self._rolling = asyncio.create_task(self._roll(), name="rolling restart")

    async def _roll(self) -> None:
        for slot in range(self._count):
            after = await self._start(slot)
            if not await self._became_ready(after):
                log.error("worker_not_replaced", slot=slot, fix="see what it logged; the old one goes on")
                _signal(after, signal.SIGKILL)
                return
            before, self._slots[slot] = self._slots.get(slot), after
            if before is not None and before in self._alive:
                _signal(before, signal.SIGTERM)
                await before.process.wait()
            log.info("worker_replaced", slot=slot, pid=after.process.pid)

    async def _became_ready(self, worker: Worker) -> bool:
        try:
            async with asyncio.timeout(READY_S):
                return await asyncio.shield(worker.ready)
        except TimeoutError:
            return False

    async def _start(self, slot: int) -> Worker:
        loop = asyncio.get_running_loop()
        reading, lifeline = os.pipe()
        told, telling = os.pipe()
        try:
            # A session of its own: Ctrl-C reaches the parent alone, which ends its children in order.
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "giftserver.web.worker", str(telling), stdin=reading, pass_fds=(telling,),
                start_new_session=True,
            )  # fmt: skip
        except BaseException:
            os.close(lifeline)
            os.close(told)
            raise
        finally:
            os.close(reading)
            os.close(telling)
        worker = Worker(slot, process, lifeline, loop.create_future(), loop.time())
        self._alive.add(worker)
        loop.add_reader(told, self._told, worker, told)
        task = asyncio.create_task(self._watch(worker), name=f"worker {slot}")
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return worker

    def _told(self, worker: Worker, told: int) -> None:
        asyncio.get_running_loop().remove_reader(told)
        worker.ready.set_result(bool(os.read(told, 1)))
        os.close(told)

    async def _watch(self, worker: Worker) -> None:
        """Wait for its end, and start another one if nobody has taken its place."""
        code = await worker.process.wait()
        os.close(worker.lifeline)
        self._alive.discard(worker)
        mark_process_dead(worker.process.pid, self._environment["PROMETHEUS_MULTIPROC_DIR"])  # type: ignore[no-untyped-call]
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set() and self._slots.get(worker.slot) is worker:
            if loop.time() - worker.started_s > STEADY_S:
                self._pauses_s[worker.slot] = AGAIN_S[0]
            pause_s = self._pauses_s[worker.slot]
            log.error("worker_ended", slot=worker.slot, pid=worker.process.pid, code=code, again_in_s=pause_s)
            self._pauses_s[worker.slot] = min(2 * pause_s, AGAIN_S[1])
            try:
                async with asyncio.timeout(pause_s):
                    await self._stopping.wait()
            except TimeoutError:
                fresh = await self._start(worker.slot)
                if self._slots.get(worker.slot) is worker:
                    self._slots[worker.slot] = fresh
                else:  # a rolling restart was quicker
                    _signal(fresh, signal.SIGTERM)

    async def _end(self) -> None:
        if self._rolling is not None:
            self._rolling.cancel()
        self._signal_all(signal.SIGTERM)
        if self._watching:
            await asyncio.wait(self._watching, timeout=self._settings.drain_s + STOP_S)
        self._signal_all(signal.SIGKILL)
        if self._watching:
            await asyncio.wait(self._watching)

    def _signal_all(self, number: signal.Signals) -> None:
        for worker in self._alive:
            _signal(worker, number)


def _signal(worker: Worker, number: signal.Signals) -> None:
    if worker.process.returncode is None:
        worker.process.send_signal(number)


def engines_of(settings: Settings) -> dict[str, str]:
    """The URLs of the engines as environment variables: embedded ones are the parent's."""
    urls = {
        "GIFTSERVER_LEDGER_REDIS_URL": settings.ledger_redis_url,
        "GIFTSERVER_ROOMS_REDIS_URL": settings.rooms_redis_url,
        "GIFTSERVER_DATABASE_URL": settings.database_url,
    }
    return {name: url for name, url in urls.items() if url is not None}


def run(settings: Settings, count: int) -> int:
    """Run `count` web processes until told to stop; the exit code. Raises WrongSetting when the port is taken."""
    return asyncio.run(Workers(settings, count).run())

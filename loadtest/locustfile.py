# mypy: disable-error-code="untyped-decorator,no-untyped-call"
"""Viewers and gifters under Locust: web page or headless, one process or many. loadtest/README.md says how.

Results are Locust's rows: `gift ack` (sent to final reply), `push fan-out` (sent to shown, by one clock), `push crowd`
(what a crowd in a process of its own was shown), `refusal CODE` (the server's own refusals: results, not failures).
Failures are what the protocol never promises away: gifts whose outcome stayed unknown, clients that were not let in,
outages.
"""

import itertools
import logging
import os
import random
import secrets
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import gevent
from locust import LoadTestShape, User, constant_pacing, events, task
from locust.argument_parser import LocustArgumentParser
from locust.env import Environment
from locust.runners import MasterRunner

from loadtest.client import Refused
from loadtest.crowd_row import CrowdRow, Tell
from loadtest.gifter import Gifter
from loadtest.history import HistoryReader
from loadtest.journal import Journal
from loadtest.server import Costs, Menu, Server, Unusable
from loadtest.viewer import Viewer, make_note

log = logging.getLogger(__name__)

FUND_S: Final = 15.0
CROWD_GOES_S: Final = 10.0
CODECS: Final = ("msgpack", "json")


@events.init_command_line_parser.add_listener
def add_options(parser: LocustArgumentParser) -> None:
    """Options of this load test, next to Locust's own; workers get the master's."""
    group = parser.add_argument_group("giftserver")
    group.add_argument("--viewers", type=int, default=20, help="People who watch", env_var="LOAD_VIEWERS")
    group.add_argument("--gifters", type=int, default=5, help="People who give", env_var="LOAD_GIFTERS")
    group.add_argument("--crowd", type=int, default=0, help="Viewers besides, counted and not decoded, in a process")
    group.add_argument("--seconds", type=float, default=30.0, help="Length of the run")
    group.add_argument("--spawn-per-s", type=float, default=10.0, help="People who come a second")
    group.add_argument("--gifts-per-s", type=float, default=1.0, help="Gifts a second of one gifter")
    group.add_argument("--gifts-max", type=int, default=1_000, help="Most gifts of one gifter")
    group.add_argument("--lag-every", type=int, default=10, help="Each viewer times one gift of so many; it counts all")
    group.add_argument("--coins", type=int, default=20_000, help="Coins a gifter gets at the start")
    group.add_argument("--room", default="harbour", help="Room of the test")
    group.add_argument("--data-dir", default=".giftserver", help="Folder of a demo: its address, secret and processes")
    group.add_argument("--people", default="", help="File of funded people's ids, where there are no free coins")
    group.add_argument("--journal", default=".loadtest", help="Folder of the journals")
    group.add_argument("--run-id", default=f"run-{secrets.token_hex(4)}", help="Name of the run")


class Run:
    """What the users of one process share."""

    def __init__(self, environment: Environment) -> None:
        options = environment.parsed_options
        assert options is not None
        self.options = options
        self.server = Server(environment.host, Path(options.data_dir))
        self.server.check(options.room, people=bool(options.people))
        self.journal = Journal(Path(options.journal) / f"{options.run_id}-{os.getpid()}.jsonl")
        self.journal.write(
            "run", run=options.run_id, room=options.room, url=self.server.url, started_ms=int(time.time() * 1_000)
        )
        self.prices_coins = self.server.prices_coins()
        self.numbers = itertools.count(1)
        self.people = _people(options.people)
        self.costs = Costs(self.server.record)
        self.reader = gevent.spawn(HistoryReader(self.server, options.room, self.journal).run)
        self.crowd: CrowdRow | None = None
        if options.crowd:
            self.crowd = CrowdRow(self.server.socket_url(options.room), options.crowd, self._crowd_saw(environment))
            self.crowd_listener = gevent.spawn(self.crowd.run)

    def name(self, kind: str) -> str:
        """A name that no other user of this run has."""
        return f"{kind}-{self.options.run_id}-{os.getpid()}-{next(self.numbers)}"

    def _crowd_saw(self, environment: Environment) -> Tell:
        return lambda name, value, size, problem: tell(environment, "push", name, value, problem, size)

    def finish(self) -> None:
        """Let the last gifts reach the history and the crowd, and note what the server's processes cost."""
        gevent.sleep(1.0)
        self.reader.kill()
        if self.crowd is not None:
            self.crowd.stop()
            self.crowd_listener.join(timeout=CROWD_GOES_S)
        for cost in self.costs.spent():
            self.journal.write("process", **cost)


def tell(
    environment: Environment, kind: str, name: str, took_ms: float, problem: BaseException | None = None, size: int = 0
) -> None:
    """Add one result to Locust's tables."""
    environment.events.request.fire(
        request_type=kind, name=name, response_time=took_ms, response_length=size, exception=problem, context={}
    )


def _people(file: str) -> list[str]:
    return Path(file).read_text().split() if file else []


@events.test_start.add_listener
def begin(environment: Environment, **_: Any) -> None:
    """Open the journal; the master has no users and needs none."""
    if isinstance(environment.runner, MasterRunner):
        return
    try:
        environment.gifts_run = Run(environment)  # type: ignore[attr-defined]
    except Unusable as problem:
        log.error("%s", problem)
        environment.process_exit_code = 2
        assert environment.runner is not None
        if environment.web_ui is None:
            environment.runner.quit()
        raise SystemExit(2) from problem


@events.test_stop.add_listener
def end(environment: Environment, **_: Any) -> None:
    """Close the journal."""
    run: Run | None = getattr(environment, "gifts_run", None)
    if run is not None:
        run.finish()


class Bounded(LoadTestShape):
    """All people come at the rate asked for, stay until the time is over, and leave."""

    def tick(self) -> tuple[int, float, list[type[User]] | None] | None:
        """How many people there should be now, None at the end."""
        assert self.runner is not None
        options = self.runner.environment.parsed_options
        assert options is not None
        if self.get_run_time() > options.seconds or options.viewers + options.gifters < 1:
            return None
        kinds: list[type[User]] = []
        for kind, count in ((ViewerUser, options.viewers), (GifterUser, options.gifters)):
            if count > 0:
                kind.weight = count
                kinds.append(kind)
        return options.viewers + options.gifters, options.spawn_per_s, kinds


class SocketUser(User):
    """What viewers and gifters have in common."""

    abstract = True

    @property
    def run_(self) -> Run:
        """The run of this process."""
        run: Run = self.environment.gifts_run
        return run

    def tell(self, kind: str, name: str, took_ms: float, problem: BaseException | None = None) -> None:
        """Add one result to Locust's tables."""
        tell(self.environment, kind, name, took_ms, problem)

    def outage(self, problem: BaseException) -> None:
        """A connection was lost or could not be made."""
        self.tell("socket", "outage", 0.0, problem)


class ViewerUser(SocketUser):
    """Watches without an identity; every other one speaks JSON."""

    weight = 20
    turns: ClassVar[Iterator[int]] = itertools.count()

    def on_start(self) -> None:
        """Make the viewer."""
        run = self.run_
        turn = next(self.turns)
        codec = CODECS[turn % len(CODECS)]
        self.viewer = Viewer(
            run.name("viewer"), run.server.socket_url(run.options.room), codec, lambda: None, run.journal,
            lambda late_ms: self.tell("push", f"fan-out {codec}", late_ms),
            turn=turn, lag_every=run.options.lag_every,
        )  # fmt: skip

    def on_stop(self) -> None:
        """Journal what was watched."""
        self.viewer.finish()

    @task
    def watch(self) -> None:
        """Watch until the test ends."""
        try:
            self.viewer.socket.run(self.outage)
        except Refused as problem:
            self.tell("socket", "not let in", 0.0, problem)
            gevent.sleep(5)


class GifterUser(SocketUser):
    """Gives gifts at an even pace, each with its own key, until it has given its most."""

    weight = 5

    def wait_time(self) -> float:
        """Seconds until the next gift."""
        pace: float = constant_pacing(1 / self.run_.options.gifts_per_s)(self)
        return pace

    def on_start(self) -> None:
        """Get an identity, coins and a socket."""
        run = self.run_
        self.given = 0
        user = run.people.pop() if run.people else run.name("gifter")
        self.menu = Menu(run.prices_coins, random.Random(user))
        url = run.server.socket_url(run.options.room)
        self.gifter = Gifter(user, url, random.choice(CODECS), lambda: run.server.token(user), run.journal)
        if not run.options.people:
            run.server.fund(user, run.options.coins)
            until_s = time.monotonic() + FUND_S
            while run.server.coins(user) < run.options.coins and time.monotonic() < until_s:
                gevent.sleep(0.1)
        self.listener = gevent.spawn(self._listen)
        gevent.sleep(random.uniform(0, 1 / run.options.gifts_per_s))  # people who came together do not give in step

    def on_stop(self) -> None:
        """Leave."""
        self.listener.kill()

    def _listen(self) -> None:
        try:
            self.gifter.socket.run(self.outage)
        except Refused as problem:
            self.tell("socket", "not let in", 0.0, problem)

    @task
    def give(self) -> None:
        """One gift."""
        if self.given >= self.run_.options.gifts_max:
            gevent.sleep(1)
            return
        self.given += 1
        gift, price_coins = self.menu.draw()
        quantity = random.choice((1, 1, 1, 2, 5)) if price_coins < 100 else 1
        answer = self.gifter.give(gift, quantity, price_coins, make_note(), self._refused)
        if answer.kind == "acknowledged":
            self.tell("gift", "ack", answer.latency_ms)
        elif answer.kind == "refused":
            self._refused(answer.code, answer.latency_ms)
        else:
            self.tell("gift", "outcome unknown", answer.latency_ms, TimeoutError(answer.code))

    def _refused(self, code: str, latency_ms: float) -> None:
        self.tell("refusal", code, latency_ms)

"""The running demo, and what a test may do there as any of its people."""

import asyncio
import json
import os
import signal
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from redis.asyncio import Redis
from websockets.sync.client import connect

from giftserver import embedded
from giftserver.durable.closings import time_closings
from giftserver.durable.rooms import set_live
from giftserver.durable.store import open_database
from giftserver.ledger.clock import latest_ms

REPLY_S = 10


@dataclass(frozen=True)
class Room:
    """A live room that nobody else in the demo knows of, and its creator."""

    id: str
    creator: str


@dataclass(frozen=True)
class DemoSite:
    """Where the demo answers, and the folder it keeps everything in."""

    url: str
    folder: Path
    tokens: dict[str, Any] = field(default_factory=dict)

    def ask(self, method: str, path: str, body: object = None, person: str | None = None) -> Any:
        """The parsed answer of one HTTP request; raises urllib's HTTPError when it is refused."""
        headers = {"Content-Type": "application/json"}
        if person is not None:
            headers["Authorization"] = f"Bearer {self.token(person)['token']}"
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=REPLY_S) as answer:
            return json.loads(answer.read())

    def token(self, person: str) -> Any:
        """`{token, expires_in_s}` of one of the demo's people, issued once."""
        if person not in self.tokens:
            self.tokens[person] = self.ask("POST", "/demo/token", {"id": person})
        return self.tokens[person]

    def room(self, title: str = "Letters from the quay", creator_name: str = "Nadia") -> Room:
        """A new live room."""
        mark = uuid.uuid4().hex[:8]
        made = Room(f"quay-{mark}", f"{creator_name.lower()}-{mark}")
        body = {"title": title, "creator": made.creator, "creator_name": creator_name}
        self.ask("PUT", f"/v1/rooms/{made.id}", body, "operator")
        self.ask("POST", f"/v1/rooms/{made.id}/live", {"live": True}, "operator")
        return made

    def gifts(self, room: str) -> list[dict[str, Any]]:
        """Every gift of a room that is not older than its kept history, oldest first."""
        with self._socket(room, None) as link:
            epoch = next(m["epoch"] for m in messages(link) if m["type"] == "welcome")
        gifts: list[dict[str, Any]] = self.ask("GET", f"/v1/rooms/{room}/gifts?epoch={epoch}&after=0&limit=500")[
            "gifts"
        ]
        return gifts

    def overlay_path(self, room: str, creator: str) -> str:
        """Path of the room's overlay, as the studio shows it."""
        url: str = self.ask("GET", f"/v1/studio/{room}", None, creator)["overlay_url"]
        return "/overlay/" + url.rsplit("/", 1)[1]

    def unshown(self, room: str, creator: str) -> set[int]:
        """Offsets the studio calls paid but not yet shown."""
        return set(self.ask("GET", f"/v1/studio/{room}", None, creator)["unshown"])

    def send(self, person: str, room: str, gift: str, quantity: int = 1) -> Any:
        """Send a gift; its receipt."""
        with self._socket(room, self.ask("POST", "/v1/tickets", {}, person)["ticket"]) as link:
            command = {"type": "send_gift", "id": 1, "key": uuid7(), "gift": gift, "quantity": quantity}
            link.send(json.dumps(command))
            answer = next(m for m in messages(link) if m["type"] in ("reply", "error"))
            assert answer["type"] == "reply", answer
            return answer["result"]

    def send_late(self, person: str, room: str, gift: str) -> Any:
        """Send a gift into a room that was closed a moment ago, of which the server has not heard; its receipt."""
        while True:
            self.ask("POST", f"/v1/rooms/{room}/live", {"live": True}, "operator")
            self.ask("GET", f"/v1/rooms/{room}")  # known for a second from here on
            with ThreadPoolExecutor(1) as thread:
                thread.submit(lambda: asyncio.run(close_unheard(self.folder, room))).result()
            with suppress(AssertionError):  # the second was over: room_not_live
                return self.send(person, room, gift)

    def render(self, room: str, creator: str, offsets: list[int]) -> None:
        """Report offsets as shown, as the room's overlay does."""
        token = self.overlay_path(room, creator).rsplit("/", 1)[1].split("?")[0]
        with self._socket(room, self.ask("POST", "/v1/tickets", {"overlay": token})["ticket"]) as link:
            link.send(json.dumps({"type": "rendered", "offsets": offsets}))
            until(lambda: not set(offsets) & self.unshown(room, creator))

    def child(self, name: str) -> int:
        """Process id of one of the demo's processes."""
        return int(json.loads((self.folder / "demo.json").read_text())["children"][name])

    def signal(self, name: str, number: signal.Signals) -> int:
        """Send a signal to one of the demo's processes; the process id it has had."""
        child = self.child(name)
        os.kill(child, number)
        return child

    def ready(self) -> bool:
        """Whether gifts can be sent."""
        with suppress(OSError):
            return bool(self.ask("GET", "/readyz")["ready"])
        return False

    def _socket(self, room: str, ticket: str | None) -> Any:
        query = "" if ticket is None else f"?ticket={ticket}"
        address = f"{self.url.replace('http', 'ws', 1)}/v1/rooms/{room}/ws{query}"
        return connect(address, subprotocols=["giftserver.v1.json"])  # type: ignore[list-item]


async def close_unheard(folder: Path, room: str) -> None:
    """Close a room in the demo's database, and tell nobody."""
    with embedded.running(folder) as urls:
        assert urls.database_url is not None
        assert urls.ledger_redis_url is not None
        database, redis = open_database(urls.database_url), Redis.from_url(urls.ledger_redis_url)
        await set_live(database, room, False)
        await time_closings(database, partial(latest_ms, redis))
        await database.dispose()
        await redis.aclose()


def messages(link: Any) -> Iterator[dict[str, Any]]:
    """Messages of a socket, frame after frame."""
    while True:
        yield from json.loads(link.recv(timeout=REPLY_S))


def uuid7() -> str:
    """A key as clients make it: UUID version 7."""
    random = uuid.uuid4().int & ((1 << 74) - 1)
    stamp = time.time_ns() // 1_000_000
    return str(uuid.UUID(int=stamp << 80 | 7 << 76 | (random >> 62) << 64 | 2 << 62 | random & ((1 << 62) - 1)))


def until(condition: Callable[[], object], within_s: float = 10) -> None:
    """Wait for a condition, at most `within_s`."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def holds(page: Page, expression: str, within_s: float = 10) -> None:
    """Wait until the expression is true in the page (whose policy forbids Playwright's own way of asking)."""
    deadline = time.monotonic() + within_s
    while not page.evaluate(expression):
        assert time.monotonic() < deadline, f"never true: {expression}"
        page.wait_for_timeout(50)

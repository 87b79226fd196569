"""A real Chromium, the whole demo to look at, and the folder the pictures go to."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright
from websockets.sync.client import connect

CHROMIUM_ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


EXPECT_MS = 20_000  # a condition is waited for this long: machines that test are busy


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, one for the whole run."""
    executable = os.environ.get("GIFTSERVER_TEST_CHROMIUM", "/usr/bin/chromium")
    if not Path(executable).exists():
        pytest.skip(f"no Chromium at {executable}: set GIFTSERVER_TEST_CHROMIUM")
    expect.set_options(timeout=EXPECT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots and contact sheets go; not under version control."""
    folder = Path(__file__).resolve().parents[2] / "artifacts"
    folder.mkdir(exist_ok=True)
    return folder


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: the browser's own event loop stays on this thread, and no async test can follow it."""
    items.sort(key=lambda item: Path(__file__).parent in item.path.parents)


Routes = dict[str, Callable[[Route], object]]
START_S = 60
STOP_S = 30
REPLY_S = 10


@dataclass(frozen=True)
class DemoSite:
    """The running demo, and what a script may do there as any of its people."""

    url: str

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
        """`{token, expires_in_s}` of one of the demo's people."""
        return self.ask("POST", "/demo/token", {"id": person})

    def send(self, person: str, room: str, gift: str, quantity: int = 1) -> Any:
        """Send a gift; its receipt."""
        with self._socket(room, self.ask("POST", "/v1/tickets", {}, person)["ticket"]) as link:
            command = {"type": "send_gift", "id": 1, "key": uuid7(), "gift": gift, "quantity": quantity}
            link.send(json.dumps(command))
            answer = next(m for m in messages(link) if m["type"] in ("reply", "error"))
            assert answer["type"] == "reply", answer
            return answer["result"]

    def render(self, room: str, creator: str, offsets: list[int]) -> None:
        """Report offsets as shown, as the room's overlay does."""
        address = self.ask("GET", f"/v1/studio/{room}", None, creator)["overlay_url"]
        ticket = self.ask("POST", "/v1/tickets", {"overlay": address.rsplit("/", 1)[1].split("?")[0]})["ticket"]
        with self._socket(room, ticket) as link:
            link.send(json.dumps({"type": "rendered", "offsets": offsets}))
            until(lambda: not set(offsets) & set(self.ask("GET", f"/v1/studio/{room}", None, creator)["unshown"]))

    def _socket(self, room: str, ticket: str) -> Any:
        address = f"{self.url.replace('http', 'ws', 1)}/v1/rooms/{room}/ws?ticket={ticket}"
        return connect(address, subprotocols=["giftserver.v1.json"])  # type: ignore[list-item]


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


@pytest.fixture(scope="session")
def demo_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSite]:
    """`giftserver demo` on a free port with a folder of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "giftserver", "demo", "--port", str(port), "--data-dir", str(folder)]
    with (folder / "demo.out").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    site = DemoSite(f"http://127.0.0.1:{port}")

    def ready() -> bool:
        assert process.poll() is None, (folder / "demo.out").read_text()
        with contextlib.suppress(OSError):
            return bool(site.ask("GET", "/v1/rooms")["rooms"])
        return False

    try:
        until(ready, START_S)
        yield site
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def visit(chromium: Browser, demo_site: DemoSite) -> Iterator[Callable[..., Page]]:
    """`visit(path, person=None, width=1440, routes={}, **context)`: a tab of its own; errors of the page fail the test.

    `routes` maps URL patterns to handlers; `context` goes to Playwright's `new_context`.
    """
    contexts, problems = [], []

    def open_page(
        path: str, person: str | None = None, width: int = 1440, routes: Routes | None = None, **options: Any
    ) -> Page:
        height = {390: 844, 768: 1024}.get(width, 900)
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            permissions=["clipboard-read", "clipboard-write"],
            **options,
        )
        contexts.append(context)
        if person is not None:
            token = json.dumps(demo_site.token(person)["token"])
            context.add_init_script(
                f"if (!sessionStorage.getItem('giftserver.token')) sessionStorage.setItem('giftserver.token', {token})"
            )
        for pattern, handler in (routes or {}).items():
            context.route(pattern, handler)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda said: problems.append(said.text) if "Content Security" in said.text else None)
        page.goto(demo_site.url + path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert problems == []

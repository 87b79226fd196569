"""A real Chromium, the whole demo to look at, and the folder the pictures go to."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, Route, expect, sync_playwright

from tests.browser.demo_site import DemoSite, Room, until

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


# The engine without a desktop browser around it comes first: the same pages for half the work.
CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")

EXPECT_MS = 20_000  # a condition is waited for this long: machines that test are busy


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The system's Chromium, one for the whole run; Playwright's own where the system has none."""
    executable = os.environ.get("GIFTSERVER_TEST_CHROMIUM") or next(filter(None, map(shutil.which, CHROMIUMS)), None)
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


LONGEST = (
    "test_one_gift_all_the_way.py", "test_recorded_traffic.py", "test_limits.py", "test_dispute.py", "test_cases.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browser tests come last: the browser's own event loop stays on this thread, and no async test can follow it.

    Of their files the longest come first, so that parallel workers end at about the same time: those in LONGEST, which
    are few tests that do much, then the fullest.
    """
    tests = Counter(item.path for item in items)
    here = Path(__file__).parent
    items.sort(
        key=lambda item: (
            (1, item.path.name not in LONGEST, -tests[item.path]) if here in item.path.parents else (0, False, 0)
        )
    )


Routes = dict[str, Callable[[Route], object]]
START_S = 60
STOP_S = 30
GIFTS_BEFORE = 6


@pytest.fixture(scope="session")
def demo_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoSite]:
    """`giftserver demo` on a free port with a folder of its own.

    Its bots are put to sleep once they have given the rooms a past, and told what happened to payments: from then on
    every gift and every order is a test's own.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("demo")
    command = [sys.executable, "-m", "giftserver", "demo", "--port", str(port), "--data-dir", str(folder)]
    with (folder / "demo.out").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    site = DemoSite(f"http://127.0.0.1:{port}", folder)

    def ready() -> bool:
        assert process.poll() is None, (folder / "demo.out").read_text()
        return site.ready() and (folder / "demo.json").exists()

    try:
        until(ready, START_S)
        until(lambda: len(site.gifts("harbour")) >= GIFTS_BEFORE, START_S)
        until(lambda: "stories_told" in (folder / "bots.log").read_text(), START_S)
        site.signal("bots", signal.SIGSTOP)
        yield site
    finally:
        with contextlib.suppress(OSError, KeyError):
            site.signal("bots", signal.SIGCONT)
        process.send_signal(signal.SIGINT)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture
def room(demo_site: DemoSite) -> Room:
    """A room of this test alone."""
    return demo_site.room()


@pytest.fixture
def visit(chromium: Browser, demo_site: DemoSite) -> Iterator[Callable[..., Page]]:
    """`visit(path, person=None, width=1440, routes={}, **context)`: a tab of its own; errors of the page fail the test.

    A file that the page asks for and the server does not have is an error of the page too. `routes` maps URL patterns
    to handlers; `context` goes to Playwright's `new_context`.
    """
    contexts: list[BrowserContext] = []
    problems: list[str] = []

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
        page.on("response", lambda answer: problems.append(answer.url) if is_missing(answer) else None)
        page.goto(demo_site.url + path)
        return page

    yield open_page
    for context in contexts:
        context.unroute_all(behavior="ignoreErrors")
        context.close()
    assert problems == []


def is_missing(answer: Response) -> bool:
    """Whether this is a 404 for a part of a page: not for the page itself, and not for a question to the API."""
    return answer.status == 404 and answer.request.resource_type not in ("document", "fetch", "xhr")

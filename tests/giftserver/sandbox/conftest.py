"""A sandbox on a free port, a merchant who receives its webhooks, and a customer with a browser's habits."""

import asyncio
import contextlib
import itertools
import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from giftserver.sandbox.app import create_app, now_ms
from giftserver.sandbox.config import Clock, SandboxConfig
from giftserver.sandbox.signing import HEADER, verify
from tests.giftserver.conftest import START_S
from tests.quick_server import QuickServer, free_listener

SECRET = "an API key of the tests"
WEBHOOK_SECRET = "a webhook secret of the tests"
CARD = {"method": "card", "number": "4242 4242 4242 4242", "expiry": "12/49", "cvc": "123"}
DEADLINE_S = 10.0


class Stage:
    """A port that is served by whichever application stands on it: starting uvicorn anew takes longer than a test."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._app: ASGIApp = Starlette()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await self._app(scope, receive, send)

    @contextlib.asynccontextmanager
    async def playing(self, app: Starlette) -> AsyncIterator[None]:
        """Serve this application, within its lifespan, until the block ends."""
        async with app.router.lifespan_context(app):
            self._app = app
            yield


@contextlib.asynccontextmanager
async def serving() -> AsyncIterator[Stage]:
    """A stage on a free port, until the block ends."""
    listener = free_listener()
    stage = Stage(f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = QuickServer(uvicorn.Config(stage, log_config=None, access_log=False, ws="none", lifespan="off"))
    task = asyncio.create_task(server.serve([listener]))
    try:
        async with asyncio.timeout(START_S):
            while not server.started:
                assert not task.done(), "the server ended while it started"
                await asyncio.sleep(0.001)
        yield stage
    finally:
        server.should_exit = True
        await task


@pytest.fixture(scope="session")
async def shop_stage() -> AsyncIterator[Stage]:
    """Where the merchant listens."""
    async with serving() as stage:
        yield stage


@pytest.fixture(scope="session")
async def sandbox_stage() -> AsyncIterator[Stage]:
    """Where the sandbox listens."""
    async with serving() as stage:
        yield stage


@dataclass
class Hook:
    """One webhook that came in, and what its signature is worth."""

    raw: bytes
    event: dict[str, Any]
    problem: str | None


@dataclass
class Merchant:
    """Receives webhooks; `answers` are the statuses of the next ones, 200 after that."""

    url: str
    hooks: list[Hook] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until the condition, which is about webhooks, holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                self.came.clear()
                await self.came.wait()

    async def take(self, request: Request) -> Response:
        """The webhooks' endpoint."""
        raw = await request.body()
        problem = verify(WEBHOOK_SECRET, request.headers[HEADER], raw, time.time())
        self.hooks.append(Hook(raw, msgspec.json.decode(raw), problem))
        self.came.set()
        return Response(status_code=self.answers.pop(0) if self.answers else 200)

    @property
    def kinds(self) -> list[str]:
        """What came, in order."""
        return [hook.event["kind"] for hook in self.hooks]

    @property
    def told(self) -> set[tuple[str, str]]:
        """Reference and kind of everything that came."""
        return {(hook.event["session"]["payment"], hook.event["kind"]) for hook in self.hooks}


@pytest.fixture
async def merchant(shop_stage: Stage) -> AsyncIterator[Merchant]:
    """A merchant who listens."""
    found = Merchant(shop_stage.url)
    async with shop_stage.playing(Starlette(routes=[Route("/hooks", found.take, methods=["POST"])])):
        yield found


@dataclass
class Sandbox:
    """A running sandbox, asked by its merchant (`http`) and its customer (`browser`)."""

    url: str
    http: httpx.AsyncClient
    browser: httpx.AsyncClient
    merchant: Merchant
    keys: "itertools.count[int]" = field(default_factory=itertools.count)

    def body(self, **changes: Any) -> dict[str, Any]:
        """Body of a new session of USD 4.99."""
        return {
            "payment": "p1", "amount_minor": 499, "currency": "USD", "description": "500 coins",
            "return_url": "http://127.0.0.1:9/back?order=1", "webhook_url": f"{self.merchant.url}/hooks",
            "expires_in_s": 600, **changes,
        }  # fmt: skip

    def key(self) -> dict[str, str]:
        """A header with a new idempotency key."""
        return {"Idempotency-Key": f"key-{next(self.keys)}"}

    async def create(self, **changes: Any) -> dict[str, Any]:
        """A new session."""
        found: dict[str, Any] = expect_ok(
            await self.http.post("/v1/sessions", json=self.body(**changes), headers=self.key())
        )
        return found

    async def session(self, id: str) -> dict[str, Any]:
        """The session as it is now."""
        found: dict[str, Any] = expect_ok(await self.http.get(f"/v1/sessions/{id}"))
        return found

    async def post(self, path: str, body: Any = None) -> httpx.Response:
        """Ask the API."""
        return await self.http.post(path, json=body if body is not None else {}, headers=self.key())

    async def pay(self, session: dict[str, Any], **form: str) -> httpx.Response:
        """Send the form of the pay page; a good card when nothing else is said."""
        return await self.browser.post(session["url"], data={**CARD, **form} if "action" not in form else form)

    async def paid(self, **changes: Any) -> dict[str, Any]:
        """A session that was captured."""
        session = await self.create(**changes)
        await self.pay(session)
        found = await self.session(session["id"])
        assert found["state"] == "captured"
        return found

    async def mischief(self, **wanted: Any) -> None:
        """Mischief for sessions to come."""
        expect_ok(await self.http.put("/v1/mischief", json=wanted))

    async def kinds(self, session: str) -> list[str]:
        """Every event of a session, in order."""
        answer = expect_ok(await self.http.get("/v1/events", params={"session": session}))
        return [event["kind"] for event in answer["events"]]


def slow(**changes: Any) -> dict[str, Any]:
    """Body of a new payout of USD 0.99 that does not move by itself within a test."""
    return {"payout": "out_1", "amount_minor": 99, "currency": "USD", "address": "slow@sandbox", **changes}


def expect_ok(answer: httpx.Response) -> Any:
    """The JSON of an answer that must be good."""
    assert answer.status_code == 200, answer.text
    return answer.json()


def assert_refused(answer: httpx.Response, status: int, code: str) -> None:
    """The answer must be this refusal, with words."""
    assert answer.status_code == status, answer.text
    assert answer.json()["error"]["code"] == code
    assert answer.json()["error"]["message"]


def words_of(page: httpx.Response) -> str:
    """What a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", page.text.partition("<body>")[2]).split())


Start = Callable[..., contextlib.AbstractAsyncContextManager[Sandbox]]


@pytest.fixture
def start(merchant: Merchant, sandbox_stage: Stage) -> Start:
    """Starts a sandbox until the block ends, always at the same address; a wait takes a hundredth of its time."""

    @contextlib.asynccontextmanager
    async def running(journal: Path | None = None, clock: Clock = now_ms) -> AsyncIterator[Sandbox]:
        url = sandbox_stage.url
        app = create_app(SandboxConfig(SECRET, WEBHOOK_SECRET, journal, url, retry_scale=0.01), clock)
        bearer = {"Authorization": f"Bearer {SECRET}"}
        async with (
            sandbox_stage.playing(app),
            httpx.AsyncClient(base_url=url, headers=bearer, timeout=10, trust_env=False, verify=False) as http,
            httpx.AsyncClient(timeout=10, trust_env=False, verify=False) as browser,
        ):
            yield Sandbox(url, http, browser, merchant)

    return running


@pytest.fixture
async def sandbox(start: Start) -> AsyncIterator[Sandbox]:
    """A sandbox without a journal."""
    async with start() as started:
        yield started


class Time:
    """A clock that can be put forward."""

    def __init__(self) -> None:
        self.ahead_ms = 0

    def __call__(self) -> int:
        return now_ms() + self.ahead_ms


@pytest.fixture
def clock() -> Time:
    """The sandbox's clock, for `timed`."""
    return Time()


@pytest.fixture
async def timed(start: Start, clock: Time) -> AsyncIterator[Sandbox]:
    """A sandbox that goes by `clock`."""
    async with start(clock=clock) as started:
        yield started

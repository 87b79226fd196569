"""A real web process on a free port, with rooms, and people who speak HTTP to it."""

import asyncio
import contextlib
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.engine import make_url
from starlette.applications import Starlette

from giftserver.app import create_app
from giftserver.auth.tokens import Identity, mint
from giftserver.durable.credits import credit
from giftserver.durable.flush import flush_shard
from giftserver.durable.rooms import set_live, upsert_room
from giftserver.engines import Engines, open_engines
from giftserver.errors import Refusal
from giftserver.gifts.messages import Receipt, SendGift
from giftserver.ledger import keys
from giftserver.services import Services
from giftserver.settings import Settings
from giftserver.web.server import server_config
from tests.quick_opening import open_new_ledger
from tests.quick_server import QuickServer, free_listener
from tests.torture.proxy import TcpProxy

START_S = 10.0


@dataclass
class Web:
    """The running process, and who asks it."""

    app: Starlette
    settings: Settings
    engines: Engines
    http: httpx.AsyncClient

    @property
    def services(self) -> Services:
        found: Services = self.app.state.services
        return found

    def bearer(
        self, user: str, role: str = "viewer", room: str | None = None, ttl_s: int = 600, **claims: Any
    ) -> dict[str, str]:
        """Headers of somebody signed in; `claims`: country, birthdate."""
        return {"authorization": f"Bearer {mint(self.settings, user, user.title(), role, room, ttl_s, **claims)}"}

    async def give_coins(self, user: str, coins: int) -> None:
        """Credit a wallet in the durable ledger; the live one loads it from there."""
        await credit(self.engines.database, user, coins, "grant", f"test:{uuid.uuid4()}")

    async def send_gift(self, user: str, key: str, gift: str = "dewdrop", quantity: int = 1) -> Receipt:
        """Send a gift to harbour as the socket would."""
        command = SendGift(id=1, key=key, gift=gift, quantity=quantity)
        sender = Identity(user, user.title(), "viewer", None, float("inf"))
        receipt = await self.services.gifts.send(sender, "harbour", command)
        assert not isinstance(receipt, Refusal), receipt
        return receipt

    async def settle(self) -> None:
        """Bring every gift to PostgreSQL, as the flusher would."""
        async with self.engines.ledger_redis.pipeline(transaction=False) as pipe:
            for shard in range(keys.SHARDS):
                pipe.hmget(keys.meta(shard), "seq", "flushed")
            marks = await pipe.execute()
        for shard, (seq, flushed) in enumerate(marks):
            if seq != flushed:
                await flush_shard(self.engines.database, self.engines.ledger_redis, shard)


@pytest.fixture
def static_dir(tmp_path: Path) -> Path:
    """Pages and files as a build would leave them."""
    folder = tmp_path / "static"
    for name in ("index", "viewer", "overlay", "studio", "wallet", "guardian", "ops"):
        folder.joinpath(f"{name}.html").parent.mkdir(exist_ok=True)
        folder.joinpath(f"{name}.html").write_text(
            f"<!doctype html><title>{name}</title>"
            '<script type="importmap">{"imports": {}}</script><script type="module" src="/static/js/a.js"></script>'
        )
    for name, text in (("js/a.js", "export {};"), ("vendor/b.js", "export {};"), ("gifts/c.svg", "<svg/>")):
        folder.joinpath(name).parent.mkdir(exist_ok=True)
        folder.joinpath(name).write_text(text)
    return folder


@contextlib.asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Web]:
    """Serve the application of these settings until the block ends."""
    listener = free_listener()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    settings = settings.model_copy(update={"public_url": settings.public_url or url})
    async with open_engines(settings, keeps_limits=True) as engines:
        await open_new_ledger(engines.database, engines.ledger_redis)
        app = create_app(settings, engines)
        server = QuickServer(server_config(app, settings))
        task = asyncio.create_task(server.serve([listener]))
        try:
            async with asyncio.timeout(START_S):
                while not server.started:
                    assert not task.done(), "the server ended while it started"
                    await asyncio.sleep(0.001)
            async with httpx.AsyncClient(base_url=url, timeout=10, verify=False) as http:
                yield Web(app, settings, engines, http)
        finally:
            server.should_exit = True
            await task


async def add_rooms(engines: Engines) -> None:
    """Two rooms: harbour is live, attic is not."""
    for room, creator, live in (("harbour", "mira", True), ("attic", "tomas", False)):
        await upsert_room(engines.database, room, creator=creator, creator_name=creator.title(), title=f"The {room}")
        await set_live(engines.database, room, live)


@pytest.fixture
async def web(settings: Settings, static_dir: Path) -> AsyncIterator[Web]:
    """A web process outside the demo."""
    async with running(settings.model_copy(update={"static_dir": static_dir})) as started:
        await add_rooms(started.engines)
        yield started


@pytest.fixture
async def demo(settings: Settings, static_dir: Path) -> AsyncIterator[Web]:
    """A web process of the demo."""
    async with running(settings.model_copy(update={"static_dir": static_dir, "demo": True})) as started:
        await add_rooms(started.engines)
        yield started


@dataclass
class Outage:
    """A web process of the demo, and what stands between it and PostgreSQL."""

    web: Web
    proxy: TcpProxy


@pytest.fixture
async def outage(settings: Settings, static_dir: Path) -> AsyncIterator[Outage]:
    """A demo whose PostgreSQL can be taken away with `proxy.stop()`, or made to hang."""
    url = make_url(settings.database_url or "")
    assert url.port is not None
    proxy = TcpProxy(url.port)
    await proxy.start()
    through = url.set(host="127.0.0.1", port=proxy.port).render_as_string(hide_password=False)
    async with running(
        settings.model_copy(update={"static_dir": static_dir, "demo": True, "database_url": through})
    ) as web:
        await add_rooms(web.engines)
        yield Outage(web, proxy)
        await proxy.stop()  # before the end, which would wait for a server that hangs


@pytest.fixture
def new_key() -> Callable[[], str]:
    """Makes idempotency keys: UUIDv7 of now."""

    def make() -> str:
        number = int(time.time() * 1_000) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
        return str(uuid.UUID(int=number))

    return make


def assert_refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """The refusal in an answer, which must be this one, and the fields every refusal has."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, Any] = answer.json()["error"]
    assert error["code"] == code, error
    assert error["message"]
    assert isinstance(error["temporary"], bool)
    return error


@pytest.fixture
async def rich(web: Web) -> Web:
    """A web process where ana has 1,000 coins."""
    await web.give_coins("ana", 1_000)
    return web

"""Shared fixtures: real engines once a session, a clean ledger for each test that asks."""

import asyncio
import contextlib
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from redis.asyncio import Redis
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver import embedded
from giftserver.durable import migrate
from giftserver.engines import Engines, open_engines
from giftserver.settings import Settings
from tests.demo_server import DemoServer, running_demo

Found = TypeVar("Found")
SECRET = "a secret of the tests, longer than 32 bytes"
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 4 << 30


@pytest.fixture(scope="session")
def fast_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder in memory where there is plenty, otherwise on disk.

    For what no power failure can show: hundreds of databases are made and dropped, and each waits for the disk.
    """
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN:
        with tempfile.TemporaryDirectory(prefix="giftserver-tests-", dir=MEMORY) as folder:
            yield Path(folder)
    else:
        yield tmp_path_factory.mktemp("fast")


@pytest.fixture(scope="session")
def engine_urls(fast_folder: Path) -> Iterator[Any]:
    """URLs of embedded engines that live for the session."""
    with embedded.running(fast_folder / "engines", ledger=True, rooms=True, database=True) as urls:
        _ease_login(urls)
        yield urls


def _ease_login(urls: Any) -> None:
    """Make logging in cheap: a password's 4,096 rounds take longer than most questions, and every test logs in anew."""

    async def ease() -> None:
        admin = await asyncpg.connect(urls.database_url)
        url = make_url(urls.database_url)
        await admin.execute(f"SET scram_iterations = 1; ALTER USER \"{url.username}\" PASSWORD '{url.password}'")
        await admin.close()

    _run(ease())


def _run(work: Coroutine[Any, Any, Found]) -> Found:
    """Run it to its end in a thread of its own; a loop may already run in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(scope="session")
def template(engine_urls: Any) -> str:
    """Name of a migrated database to copy; copying takes a tenth of migrating."""

    async def create() -> str:
        admin = await asyncpg.connect(engine_urls.database_url)
        await admin.execute("CREATE DATABASE template_of_tests")
        await admin.close()
        await migrate.upgrade(engine_urls.database_url.rsplit("/", 1)[0] + "/template_of_tests")
        return "template_of_tests"

    return _run(create())


@cache
def settings_of(ledger_redis_url: str, rooms_redis_url: str) -> Settings:
    """What the settings of all tests share; reading the environment takes 15 ms."""
    return Settings(ledger_redis_url=ledger_redis_url, rooms_redis_url=rooms_redis_url, jwt_secret=SECRET, port=0)


@contextlib.asynccontextmanager
async def fresh_settings(engine_urls: Any, template: str, folder: Path) -> AsyncIterator[Settings]:
    """Settings on a database of their own and emptied Redises, until the block ends."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(engine_urls.database_url)
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    for url in (engine_urls.ledger_redis_url, engine_urls.rooms_redis_url):
        client = Redis.from_url(url, driver_info=None)
        await client.flushall()
        await client.aclose()
    database_url = engine_urls.database_url.rsplit("/", 1)[0] + f"/{name}"
    settings = settings_of(engine_urls.ledger_redis_url, engine_urls.rooms_redis_url)
    yield settings.model_copy(update={"database_url": database_url, "data_dir": folder})
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()


@pytest.fixture
async def settings(engine_urls: Any, template: str, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings on a database of its own and emptied Redises."""
    async with fresh_settings(engine_urls, template, tmp_path) as fresh:
        yield fresh


@pytest.fixture
async def engines(settings: Settings) -> AsyncIterator[Engines]:
    """Clients of the test's engines."""
    async with open_engines(settings) as opened:
        yield opened


@pytest.fixture
def ledger_redis(engines: Engines) -> Redis:
    """Client of the ledger's Redis."""
    return engines.ledger_redis


@pytest.fixture
def database(engines: Engines) -> AsyncEngine:
    """The test's own database."""
    return engines.database


@pytest.fixture(scope="module")
def live_demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """A whole demo with its bots, for tests that need every process."""
    with running_demo(tmp_path_factory.mktemp("live") / "demo") as demo:
        yield demo

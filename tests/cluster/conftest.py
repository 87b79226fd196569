"""A real cluster, and clients of it as the product opens them."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from giftserver.engines import open_redis
from giftserver.settings import Settings
from tests.cluster.nodes import Nodes, running_cluster


@contextlib.asynccontextmanager
async def database_of(engine_urls: Any, template: str) -> AsyncIterator[str]:
    """URL of a migrated database that lives as long as the block."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin = await asyncpg.connect(engine_urls.database_url)
    await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        yield engine_urls.database_url.rsplit("/", 1)[0] + f"/{name}"
    finally:
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()


@pytest.fixture(scope="session")
def session_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """Three primaries, a replica each, for the session."""
    with running_cluster(tmp_path_factory.mktemp("cluster") / "nodes") as nodes:
        yield nodes


@pytest.fixture
def nodes(session_nodes: Nodes) -> Nodes:
    """The session's cluster, emptied."""
    session_nodes.clean()
    return session_nodes


@pytest.fixture
async def redis(nodes: Nodes) -> AsyncIterator[Any]:
    """A client of the cluster."""
    client = open_redis(nodes.url(), 2.0)
    yield client
    await client.aclose()


@pytest.fixture
async def settings(engine_urls: Any, template: str, nodes: Nodes, tmp_path: Path) -> AsyncIterator[Settings]:
    """Settings whose ledger and rooms are on the cluster, with a database of their own."""
    async with database_of(engine_urls, template) as database_url:
        yield Settings(
            ledger_redis_url=nodes.url(),
            rooms_redis_url=nodes.url(),
            database_url=database_url,
            data_dir=tmp_path,
            combo_window_ms=1_000,
            jwt_secret="a secret of the tests, longer than 32 bytes",
            port=0,
        )

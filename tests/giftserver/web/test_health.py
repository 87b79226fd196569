"""Alive, ready, counted."""

import asyncio
import dataclasses
import os
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import text
from structlog.testing import capture_logs

from giftserver import embedded
from giftserver.durable import migrate
from giftserver.durable.same_limits import limits_that_differ
from giftserver.durable.tables import SCHEMA_REVISION
from giftserver.engines import open_engines
from giftserver.ledger import keys
from giftserver.recovery.coordinator import open_ledger
from giftserver.settings import Settings
from giftserver.web import health
from tests.conftest import SECRET
from tests.giftserver.conftest import Web, add_rooms, assert_refused, running

METRICS_TOKEN = "only-prometheus-knows-this-token-0123"


async def not_ready(web: Web, part: str, *words: str) -> None:
    """503, and of all parts only this one says what is wrong."""
    answer = await web.http.get("/readyz")
    assert answer.status_code == 503
    parts = answer.json()["parts"]
    assert [name for name, state in parts.items() if state != "ok"] == [part], parts
    for word in words:
        assert word in parts[part]


async def test_a_process_that_can_take_gifts_is_ready(web: Web, new_key: Callable[[], str]) -> None:
    """Every part is ok; gifts on their way to PostgreSQL are counted and do no harm."""
    answer = await web.http.get("/readyz")
    assert answer.status_code == 200, answer.text
    assert answer.json()["ready"] is True
    assert answer.json()["degraded"] is False
    assert set(answer.json()["parts"]) == {*health.NEEDED, "shards", "database", "flush", "limits"}
    await web.give_coins("ana", 10)
    await web.send_gift("ana", new_key())
    behind = await web.http.get("/readyz")
    assert (behind.status_code, behind.json()["lag_gifts"]) == (200, 1)
    assert 0 <= behind.json()["lag_s"] < health.LAG_S_MAX
    await web.settle()
    assert (await web.http.get("/readyz")).json()["lag_gifts"] == 0


async def test_a_part_that_is_not_ready_is_named(
    web: Web, new_key: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A late flush degrades; closed shards, an old schema, a process that ends: each is named alone."""
    await web.give_coins("ana", 10)
    await web.send_gift("ana", new_key())
    shard = keys.shard_of("ana")
    with monkeypatch.context() as patch:
        patch.setattr(health, "LAG_S_MAX", -1.0)
        late = await web.http.get("/readyz")
        assert (late.status_code, late.json()["degraded"]) == (200, True)
        assert f"shard {shard:02d} is 1 gifts" in late.json()["parts"]["flush"]
    await every_shard(web, "state", "fenced")
    await not_ready(web, "shards", "shard 03 is fenced", "shard 15 is fenced")
    await every_shard(web, "state", "open")
    async with web.engines.database.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    await not_ready(web, "schema", "0000", "giftserver migrate")
    async with web.engines.database.begin() as connection:
        await connection.execute(text(f"UPDATE alembic_version SET version_num = '{SCHEMA_REVISION}'"))
    web.services.hub.draining = True
    await not_ready(web, "process", "draining")
    assert (await web.http.get("/healthz")).status_code == 200


async def every_shard(web: Web, name: str, value: str | int) -> None:
    """Set a field of every shard's meta."""
    for shard in range(keys.SHARDS):
        await web.engines.ledger_redis.hset(keys.meta(shard), name, str(value))


async def closed_shards(web: Web) -> dict[str, float]:
    """What the metric says, by reason, without those that have none."""
    lines = (await web.http.get("/metrics")).text.splitlines()
    found = [line for line in lines if line.startswith("giftserver_closed_shards{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in found if not line.endswith(" 0.0")}


@pytest.mark.parametrize(
    ("name", "closing", "open_again", "reason", "words"),
    [
        ("state", "fenced", "open", "fenced", "is fenced"),
        ("full", 1, 0, "memory", "takes no gifts: its Redis is almost out of memory"),
        ("seq", 1_000_000, 0, "backlog", "takes no gifts: 1000000 wait for PostgreSQL"),
    ],
)
async def test_shards_that_take_no_gifts_are_named_with_the_reason(
    web: Web, name: str, closing: str | int, open_again: str | int, reason: str, words: str
) -> None:
    """Some of them: gifts are taken, so ready and degraded. All of them: not ready. The metric counts them."""
    assert await closed_shards(web) == {}
    await web.engines.ledger_redis.hset(keys.meta(3), name, str(closing))
    some = await web.http.get("/readyz")
    assert (some.status_code, some.json()["ready"], some.json()["degraded"]) == (200, True, True)
    assert some.json()["parts"]["shards"].startswith(f"shard 03 {words}")
    assert await closed_shards(web) == {reason: 1}
    await every_shard(web, name, closing)
    await not_ready(web, "shards", f"shard 00 {words}", f"shard 15 {words}")
    assert await closed_shards(web) == {reason: 16}
    await every_shard(web, name, open_again)
    again = await web.http.get("/readyz")
    assert (again.status_code, again.json()["degraded"]) == (200, False)
    assert await closed_shards(web) == {}


async def test_processes_that_keep_other_limits_are_told(settings: Settings, static_dir: Path) -> None:
    """Whoever starts beside others logs it, and all are degraded while it is so; those that keep none do not count."""
    strict = settings.model_copy(update={"static_dir": static_dir, "limit_day_coins": 500, "minors": "guardian"})
    day = "GIFTSERVER_LIMIT_DAY_COINS is 500 here and 35000 in another process: set it alike"
    minors = "GIFTSERVER_MINORS is guardian here and never in another process: set it alike"
    async with open_engines(settings, keeps_limits=True) as other, open_engines(settings) as none:
        assert await limits_that_differ(none.database) == await limits_that_differ(other.database) == []
        with capture_logs() as logs:
            async with running(strict) as web:
                await until(web, lambda answer: answer.json()["parts"]["limits"] == f"{day}; {minors}")
                ready = await web.http.get("/readyz")
                assert (ready.status_code, ready.json()["degraded"]) == (200, True)
                assert [line["fix"] for line in logs if line["event"] == "limits_differ"] == [day, minors]
                (theirs, _) = await limits_that_differ(other.database)
                assert theirs == "GIFTSERVER_LIMIT_DAY_COINS is 35000 here and 500 in another process: set it alike"
                await other.database.dispose()
                await until(web, lambda answer: answer.json()["parts"]["limits"] == "ok")


async def test_an_engine_that_died_is_named_and_comes_back(tmp_path: Path) -> None:
    """While it is away requests that need it get a temporary refusal; nobody restarts the web process."""
    instance = embedded.Instance(tmp_path / "engines")
    urls = await asyncio.to_thread(instance.start)
    try:
        assert urls.database_url is not None
        await migrate.upgrade(urls.database_url)
        settings = Settings(**dataclasses.asdict(urls), jwt_secret=SECRET, demo=True)
        async with running(settings) as web:
            await add_rooms(web.engines)
            for engine, part, path in (
                ("valkey-rooms", "rooms_redis", "/v1/rooms"),
                ("valkey-ledger", "ledger_redis", "/v1/wallet"),
                ("postgres", "database", "/v1/wallet/history"),
            ):
                os.kill(instance.pids[engine], signal.SIGKILL)
                await until(web, lambda answer, part=part: answer.json()["parts"][part] != "ok")
                ready = (await web.http.get("/readyz")).json()
                assert (ready["ready"], ready["degraded"]) == (part == "database", True)
                refused = assert_refused(await web.http.get(path, headers=web.bearer("ana")), 503, "unavailable")
                assert refused["temporary"] is True
                await asyncio.to_thread(instance.revive)
                if engine == "valkey-ledger":  # another run: it takes gifts when the worker has compared it
                    await until(web, lambda answer: "its Redis restarted" in answer.json()["parts"]["shards"])
                    await open_ledger(web.engines.database, web.engines.ledger_redis)
                await until(web, lambda answer: not answer.json()["degraded"])
                assert (await web.http.get(path, headers=web.bearer("ana"))).status_code == 200
    finally:
        await asyncio.to_thread(instance.stop)


async def until(web: Web, condition: Callable[[httpx.Response], bool]) -> None:
    """Ask /readyz until its answer is so; fails after 20 s."""
    async with asyncio.timeout(20):
        answer = await web.http.get("/readyz")
        while not condition(answer):
            await asyncio.sleep(0.02)
            answer = await web.http.get("/readyz")


async def test_metrics_are_for_prometheus(web: Web) -> None:
    """The text has the process's own counts and nothing is registered twice."""
    answer = await web.http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert "giftserver_connections 0.0" in answer.text


@pytest.mark.parametrize(
    ("production", "token", "unsaid", "said"),
    [
        (False, None, 200, 200),
        (True, None, 404, 404),
        (False, METRICS_TOKEN, 401, 200),
        (True, METRICS_TOKEN, 401, 200),
    ],
)
async def test_counts_are_for_who_has_the_token(
    settings: Settings, static_dir: Path, production: bool, token: str | None, unsaid: int, said: int
) -> None:
    """In production there are none without one: the port is open to all. Liveness and readiness need none."""
    secret = None if token is None else SecretStr(token)
    changes = {"static_dir": static_dir, "production": production, "metrics_token": secret}
    async with running(settings.model_copy(update=changes)) as web:
        wrong = (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": f"Basic {METRICS_TOKEN}"},
            web.bearer("olga", "admin"),
        )
        for headers in wrong:
            answer = await web.http.get("/metrics", headers=headers)
            assert (answer.status_code, "giftserver_connections" in answer.text) == (unsaid, unsaid == 200)
        answer = await web.http.get("/metrics", headers={"authorization": f"Bearer {METRICS_TOKEN}"})
        assert (answer.status_code, "giftserver_connections" in answer.text) == (said, said == 200)
        for path in ("/healthz", "/readyz"):
            assert (await web.http.get(path)).status_code == 200

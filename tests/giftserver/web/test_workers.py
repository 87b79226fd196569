"""Several web processes on one port: evenly loaded, replaced one by one, and strangers to each other's crashes."""

import asyncio
import contextlib
import json
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import SecretStr
from sqlalchemy import text
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from giftserver.app import open_history
from giftserver.auth.tokens import mint
from giftserver.durable.credits import credit
from giftserver.durable.flush import flush_shard
from giftserver.durable.store import settled_coins
from giftserver.durable.verify import verify
from giftserver.engines import Engines, open_engines
from giftserver.ledger import keys
from giftserver.metrics import Metrics
from giftserver.recovery.coordinator import open_ledger
from giftserver.refunder import Refunder
from giftserver.settings import Settings
from tests.giftserver.conftest import add_rooms
from tests.giftserver.shop import new_key

COUNT = 2
COINS = 30_000
DEADLINE_S = 30.0
SECRET = "a secret of the tests, longer than 32 bytes"
CONNECTIONS = re.compile(r'^giftserver_connections\{pid="(\d+)"\} (\d+)', re.MULTILINE)


@dataclass
class Site:
    """`giftserver web --workers`, and who looks at it."""

    process: asyncio.subprocess.Process
    log: Path
    key: Path
    port: int = 0

    @property
    def workers(self) -> set[int]:
        """Process ids of the web processes that run."""
        children = psutil.Process(self.process.pid).children()
        return {child.pid for child in children if child.status() != psutil.STATUS_ZOMBIE}

    def events(self, name: str) -> list[dict[str, Any]]:
        """What was logged under a name."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line.get("event") == name]

    async def until(self, condition: Any, what: str) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(DEADLINE_S):
            while not condition():
                assert self.process.returncode is None or "gone" in what, f"{what}: {self.log.read_text()}"
                await asyncio.sleep(0.02)

    def connect(self, headers: dict[str, str] | None = None) -> connect:
        """A viewer's socket."""
        url = f"ws://127.0.0.1:{self.port}/v1/rooms/harbour/ws"
        return connect(url, compression=None, ping_interval=None, max_queue=None, additional_headers=headers)

    async def come(self, count: int) -> list[ClientConnection]:
        """So many viewers, each welcomed."""
        sockets = [await self.connect() for _ in range(count)]
        for viewer in sockets:
            assert json.loads(await viewer.recv())[0]["type"] == "welcome"
        return sockets

    async def metrics(self) -> str:
        """What is scraped, from whichever process answers."""
        async with httpx.AsyncClient(verify=False) as http:
            return (await http.get(f"http://127.0.0.1:{self.port}/metrics")).text

    async def load(self) -> dict[int, int]:
        """Open sockets by process."""
        return {int(pid): int(count) for pid, count in CONNECTIONS.findall(await self.metrics())}


@contextlib.asynccontextmanager
async def started(settings: Settings, folder: Path, count: int, **environment: str) -> AsyncIterator[Site]:
    """The command, until the block ends."""
    key = folder / "receipts.pem"
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    key.write_bytes(Ed25519PrivateKey.generate().private_bytes(*pem))
    given = {
        "GIFTSERVER_LEDGER_REDIS_URL": settings.ledger_redis_url,
        "GIFTSERVER_ROOMS_REDIS_URL": settings.rooms_redis_url,
        "GIFTSERVER_DATABASE_URL": settings.database_url,
        "GIFTSERVER_JWT_SECRET": SECRET,
        "GIFTSERVER_PORT": "0",
        "GIFTSERVER_PRESENCE_S": "0.1",
        "GIFTSERVER_GIFTS_PER_S": "10000",
        "GIFTSERVER_COMMANDS_PER_S": "10000",
        "GIFTSERVER_RECEIPT_KEY_FILE": str(key),
        **environment,
    }
    log = folder / "workers.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "giftserver", "web", "--workers", str(count),
            env={**os.environ, **{name: value for name, value in given.items() if value}}, stdout=output, stderr=output,
        )  # fmt: skip
    site = Site(process, log, key)
    try:
        yield site
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(DEADLINE_S):
            await process.wait()


@pytest.fixture
async def site(settings: Settings, tmp_path: Path) -> AsyncIterator[Site]:
    """Two web processes, ready."""
    async with open_engines(settings) as engines:
        await open_ledger(engines.database, engines.ledger_redis)
        await add_rooms(engines)
    async with started(settings, tmp_path, COUNT) as running:
        await running.until(lambda: running.events("workers_ready"), "all are ready")
        running.port = running.events("workers_ready")[0]["port"]
        yield running


async def test_load_is_even_and_counts_add_up(site: Site) -> None:
    """Each process has its share of 200 sockets; viewers and counts are those of all, whoever is asked."""
    sockets = await site.come(200)
    load = await site.load()
    assert set(load) == site.workers
    assert sum(load.values()) == 200
    assert min(load.values()) >= 60  # six standard deviations below the half
    assert 'giftserver_resumes_total{result="snapshot"} 200.0' in await site.metrics()
    async with asyncio.timeout(DEADLINE_S):
        while True:
            messages = json.loads(await sockets[0].recv())
            if any(message["type"] == "viewers" and message["count"] == 200 for message in messages):
                break
    await asyncio.gather(*(viewer.close() for viewer in sockets))


async def test_a_crash_of_one_leaves_the_others_alone(site: Site) -> None:
    """Its sockets end, nobody else's does, and another process takes its place."""
    sockets = await site.come(60)
    [first, second] = sorted(site.workers)
    before = await site.load()
    os.kill(first, signal.SIGKILL)
    await site.until(lambda: len(site.workers) == COUNT and first not in site.workers, "there are two again")
    await site.until(lambda: site.events("worker_ended"), "it is said")
    assert site.events("worker_ended")[0]["code"] == -signal.SIGKILL
    alive = 0
    for viewer in sockets:
        with contextlib.suppress(ConnectionClosed):
            await (await viewer.ping())
            alive += 1
    assert alive == before[second]
    assert (await site.load())[second] == before[second]
    await asyncio.gather(*(viewer.close() for viewer in sockets))


def bearer(settings: Settings, user: str, role: str = "viewer") -> dict[str, str]:
    """Headers of somebody signed in."""
    signing = settings.model_copy(update={"jwt_secret": SecretStr(SECRET)})
    return {"authorization": f"Bearer {mint(signing, user, user.title(), role, None, 600)}"}


async def ban(site: Site, settings: Settings, creator: str) -> None:
    """Report a creator and ban them, over HTTP."""
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{site.port}", verify=False) as http:
        body = {"key": new_key(), "subject": {"kind": "user", "id": creator}, "reason": "abuse"}
        assert (await http.post("/v1/reports", json=body, headers=bearer(settings, "noor"))).status_code == 200
        olga = bearer(settings, "olga", "admin")
        [case] = (await http.get("/v1/ops/cases", headers=olga)).json()["cases"]
        step = {"version": case["version"], "reason": "a test"}
        assert (await http.post(f"/v1/ops/cases/{case['id']}/ban", json=step, headers=olga)).status_code == 200


async def give(site: Site, settings: Settings, user: str, taken: list[str], flowing: asyncio.Event) -> None:
    """Send gifts of one coin, each after the last was answered, until one is refused because the room is closed."""
    async with asyncio.timeout(DEADLINE_S), site.connect(bearer(settings, user)) as viewer:
        id = 0
        while True:
            id += 1
            command = {"type": "send_gift", "id": id, "key": new_key(), "gift": "dewdrop", "quantity": 1}
            await viewer.send(json.dumps(command))
            answer: dict[str, Any] | None = None
            while answer is None:
                messages = json.loads(await viewer.recv())
                answer = next((one for one in messages if one.get("id") == id and one["type"] != "gift"), None)
            if answer["type"] == "error":
                assert answer["code"] == "room_not_live", answer
                return
            taken.append(user)
            flowing.set()


async def everything_is_booked(engines: Engines, settings: Settings) -> None:
    """Do what flusher and worker do for gifts and for those that came too late."""
    for shard in range(keys.SHARDS):
        while (await flush_shard(engines.database, engines.ledger_redis, shard)).status == "posted":
            pass
    refunder = Refunder(engines, open_history(settings, engines.rooms_redis), Metrics())
    while await refunder.step():
        pass


async def test_a_ban_under_load_reaches_every_process(site: Site, settings: Settings) -> None:
    """Gifts through both end with `room_not_live`; what was charged is what stands, and the rest is given back."""
    people = [f"giver{n}" for n in range(12)]
    async with open_engines(settings) as engines:
        for user in people:
            await credit(engines.database, user, COINS, "grant", f"test:{user}")
        taken: list[str] = []
        flowing = asyncio.Event()
        giving = [asyncio.create_task(give(site, settings, user, taken, flowing)) for user in people]
        await flowing.wait()
        assert len(await site.load()) == COUNT
        await ban(site, settings, "mira")
        await asyncio.gather(*giving)
        await everything_is_booked(engines, settings)
        query = text("SELECT g.sender, r.id IS NOT NULL AS given_back FROM transfer AS g "
                     "LEFT JOIN transfer AS r ON r.reverses = g.id WHERE g.kind = 'gift'")  # fmt: skip
        async with engines.database.connect() as connection:
            gifts = list(await connection.execute(query))
        assert sorted(gift.sender for gift in gifts) == sorted(taken)
        for user in people:
            kept = sum(gift.sender == user and not gift.given_back for gift in gifts)
            assert await settled_coins(engines.database, user) == COINS - kept
        report = await verify(engines.database, engines.ledger_redis)
        assert report.holds, report.render()


async def test_sighup_replaces_one_after_the_other(site: Site) -> None:
    """Everybody is told to come back and can at any moment; the counts of those who are gone are not lost."""
    sockets = await site.come(20)
    before = site.workers
    site.process.send_signal(signal.SIGHUP)
    came = 20
    while len(site.events("worker_replaced")) < COUNT:
        with contextlib.suppress(ConnectionClosed, ConnectionResetError):  # of one that is just leaving
            viewer = await site.connect()
            [first, *_] = json.loads(await viewer.recv())
            if first["type"] == "welcome":
                came += 1
            else:  # it was let in by one that was told to leave meanwhile
                assert (first["type"], first["code"]) == ("goodbye", 4001)
            await viewer.close()
    assert not before & site.workers
    assert len(site.workers) == COUNT
    for viewer in sockets:
        async with asyncio.timeout(DEADLINE_S):
            await viewer.wait_closed()
        assert viewer.close_code == 4001
    counted = re.search(r'giftserver_resumes_total\{result="snapshot"\} (\d+)', await site.metrics())
    assert counted is not None
    assert int(counted[1]) >= came
    assert set(await site.load()) <= site.workers


async def test_a_process_that_does_not_start_replaces_nothing(site: Site) -> None:
    """The new one finds a setting that it cannot use: the old ones go on, and later may be replaced."""
    sockets = await site.come(4)
    before = site.workers
    good = site.key.read_bytes()
    site.key.write_text("no key")
    site.process.send_signal(signal.SIGHUP)
    await site.until(lambda: site.events("worker_not_replaced"), "it is said")
    await site.until(lambda: site.workers == before, "the new one is gone")
    assert not site.events("worker_replaced")
    for viewer in sockets:
        await (await viewer.ping())
    site.key.write_bytes(good)
    site.process.send_signal(signal.SIGHUP)
    await site.until(lambda: len(site.events("worker_replaced")) == COUNT, "both are replaced")
    await asyncio.gather(*(viewer.close() for viewer in sockets))


async def test_sigterm_ends_all_in_order(site: Site) -> None:
    """Everybody is told, and no process is left."""
    sockets = await site.come(10)
    workers = site.workers
    site.process.send_signal(signal.SIGTERM)
    for viewer in sockets:
        async with asyncio.timeout(DEADLINE_S):
            await viewer.wait_closed()
        assert viewer.close_code == 4001
    async with asyncio.timeout(DEADLINE_S):
        assert await site.process.wait() == 0
    assert not any(psutil.pid_exists(pid) for pid in workers)


async def test_workers_follow_a_parent_that_was_killed(site: Site) -> None:
    """They end in order instead of keeping the port."""
    workers = site.workers
    site.process.kill()
    await site.process.wait()
    assert len(workers) == COUNT
    await site.until(lambda: not any(psutil.pid_exists(pid) for pid in workers), "they are gone")


async def test_a_port_that_is_taken_is_said(settings: Settings, tmp_path: Path) -> None:
    """In one sentence, before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        async with started(settings, tmp_path, 1, GIFTSERVER_PORT=str(taken.getsockname()[1])) as site:
            assert await site.process.wait() == 2
    assert "set GIFTSERVER_PORT" in site.log.read_text()

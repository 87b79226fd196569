"""One real web process on the tests' engines, and what it logged, for judges who stand outside of it."""

import asyncio
import contextlib
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from giftserver.auth.tokens import mint
from giftserver.durable.credits import credit
from giftserver.embedded.engine import free_port
from giftserver.embedded.folder import DataFolder
from giftserver.engines import Engines, open_engines
from giftserver.recovery.coordinator import open_ledger
from giftserver.settings import Settings
from tests.conftest import SECRET
from tests.giftserver.conftest import add_rooms
from tests.torture.stack import LIMITS, Server

ROOM = "harbour"
CREATOR = "mira"
START_S = 30.0


@dataclass
class WebProcess:
    """Where it is, and the engines below it."""

    settings: Settings
    engines: Engines
    port: int
    log: Path

    @property
    def url(self) -> str:
        """Of its pages and its API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def path(self) -> str:
        """Of the live room's socket."""
        return f"/v1/rooms/{ROOM}/ws"

    @property
    def socket_url(self) -> str:
        """Of the live room's socket."""
        return f"ws://127.0.0.1:{self.port}{self.path}"

    def bearer(self, user: str, role: str = "viewer") -> dict[str, str]:
        """Headers of somebody signed in."""
        return {"Authorization": f"Bearer {mint(self.settings, user, user.title(), role, None, 800)}"}

    async def give_coins(self, user: str, coins: int) -> None:
        """Credit a wallet in the durable ledger; the live one loads it from there."""
        await credit(self.engines.database, user, coins, "grant", f"test:{user}:{time.monotonic_ns()}")

    def failures(self) -> list[str]:
        """Lines of the log about a failure of the server's own: errors, and any traceback."""
        lines = self.log.read_text(errors="replace").splitlines()
        return [line for line in lines if "Traceback" in line or '"level": "error"' in line or "Fatal" in line]

    def ready(self) -> bool:
        """Whether gifts can be sent."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


@contextlib.asynccontextmanager
async def web_process(settings: Settings, **options: object) -> AsyncIterator[WebProcess]:
    """A web process with a live room and without limits on how often one may speak, until the block ends.

    `options` are other settings, by the end of their variable's name.
    """
    port, folder = free_port(), DataFolder(settings.data_dir)
    folder.create()
    environment = {f"GIFTSERVER_{name}": str(value) for name, value in (LIMITS | options).items()} | {
        "GIFTSERVER_LEDGER_REDIS_URL": str(settings.ledger_redis_url),
        "GIFTSERVER_ROOMS_REDIS_URL": str(settings.rooms_redis_url),
        "GIFTSERVER_DATABASE_URL": str(settings.database_url),
        "GIFTSERVER_DATA_DIR": str(folder.path),
        "GIFTSERVER_JWT_SECRET": SECRET,
        "GIFTSERVER_PORT": str(port),
        "GIFTSERVER_OFFENDER_WAIT_S": "0",
    }
    server = Server("web", "web", folder, environment)
    async with open_engines(settings) as engines:
        await open_ledger(engines.database, engines.ledger_redis)
        await add_rooms(engines)
        web = WebProcess(settings, engines, port, folder.path / "web.log")
        server.start()
        try:
            async with asyncio.timeout(START_S):
                while not await asyncio.to_thread(web.ready):
                    assert server.alive, web.log.read_text()
                    await asyncio.sleep(0.02)
            yield web
        finally:
            await asyncio.to_thread(server.stop)

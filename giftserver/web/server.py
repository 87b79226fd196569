"""Runs one web process: uvicorn with the limits of the protocol, and a polite end."""

import asyncio
import contextlib
import logging
import signal
from collections.abc import Iterator

import structlog
import uvicorn
from starlette.applications import Starlette

from giftserver.app import create_app
from giftserver.engines import open_engines
from giftserver.services import Services
from giftserver.settings import Settings
from rooms.edge import EdgeProtocol
from rooms.handshake import HandshakeProtocol

log = structlog.get_logger()

DRAIN_SPREAD_S = 1.0


class OurFailuresOnly(logging.Filter):
    """What a peer sends is no failure of ours; uvicorn logs bad UTF-8 with a traceback, refusals as errors."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten what is about a peer's bytes to a warning; leave out refusals, which are answered and counted."""
        if record.msg == "ASGI callable returned without completing handshake.":
            return False
        if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
            record.exc_info = record.exc_text = None
            record.levelno, record.levelname = logging.WARNING, "WARNING"
        return True


class WebServer(uvicorn.Server):
    """On SIGTERM: not ready, no new sockets, goodbyes in batches, then uvicorn's own shutdown."""

    def __init__(self, config: uvicorn.Config, services: Services) -> None:
        super().__init__(config)
        logging.getLogger("uvicorn.error").addFilter(OurFailuresOnly())
        self._services = services
        self._draining: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Drain first instead of closing everything at once."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.drain)
        try:
            yield
        finally:
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    def drain(self) -> None:
        """Begin to end; a second signal ends at once."""
        if self._draining is not None:
            self.should_exit = self.force_exit = True
            return
        log.info("draining", sockets=self._services.hub.connections)
        self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            await self._services.hub.drain(DRAIN_SPREAD_S if self._services.hub.connections else 0.0)
        finally:
            self.should_exit = True


def server_config(app: Starlette, settings: Settings) -> uvicorn.Config:
    """uvicorn with small messages, no deflate (it costs five times the memory) and no access log."""
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        ws=EdgeProtocol if settings.edge else "websockets-sansio",
        ws_max_size=settings.message_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=None if settings.edge else 20.0,
        loop="uvloop",
        http=HandshakeProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.drain_s) or None,
    )


async def _serve(settings: Settings) -> None:
    async with open_engines(settings) as engines:
        app = create_app(settings, engines)
        await WebServer(server_config(app, settings), app.state.services).serve()


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT. The engine URLs must be set."""
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve(settings))


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()

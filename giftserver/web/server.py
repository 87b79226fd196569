"""Runs one web process: uvicorn with the limits of the protocol, and a polite end."""

import asyncio
import contextlib
import gc
import logging
import signal
import socket
from collections.abc import Callable, Iterator
from typing import cast

import structlog
import uvicorn
from starlette.applications import Starlette

from giftserver.app import create_app
from giftserver.engines import open_engines
from giftserver.services import Services
from giftserver.settings import Settings
from rooms.edge import EdgeProtocol
from rooms.handshake import HandshakeProtocols

log = structlog.get_logger()

DRAIN_SPREAD_S = 1.0

BACKLOG = 16_384
"""Connections that wait to be accepted; the kernel allows no more than net.core.somaxconn. Beyond it a client's first
packet is dropped, and the client tries again after 1, 3 and 7 s."""

GC_THRESHOLDS = (10_000, 20, 20)
"""Nearly nothing here is in a cycle; Python's own 700 looks at the youngest objects hundreds of times a second."""


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
    """On SIGTERM: not ready, no new sockets, goodbyes in batches, then uvicorn's own shutdown.

    `on_ready` is called once it listens. Where others listen on the same port (`shares_port`) it then stops at once.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        services: Services,
        *,
        shares_port: bool = False,
        on_ready: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(config)
        for name in ("uvicorn.error", "uvicorn.error.sockets"):
            logging.getLogger(name).addFilter(OurFailuresOnly())
        self._services, self._shares_port, self._on_ready = services, shares_port, on_ready
        self._draining: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # what is there now stays
        gc.set_threshold(*GC_THRESHOLDS)
        if self.started:
            self._on_ready()

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
        if self._shares_port:
            for server in self.servers:
                server.close()
        self._draining = asyncio.get_running_loop().create_task(self._drain())

    async def _drain(self) -> None:
        try:
            hub, settings = self._services.hub, self._services.settings
            await hub.drain(DRAIN_SPREAD_S if hub.connections else 0.0, settings.accepts_per_s)
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
        backlog=BACKLOG,
        http=cast(type[asyncio.Protocol], HandshakeProtocols()),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=int(settings.drain_s) or None,
    )


async def _serve(settings: Settings, listener: socket.socket | None, on_ready: Callable[[], None]) -> None:
    async with open_engines(settings, keeps_limits=True) as engines:
        app = create_app(settings, engines)
        config, services = server_config(app, settings), app.state.services
        server = WebServer(config, services, shares_port=listener is not None, on_ready=on_ready)
        await server.serve(None if listener is None else [listener])


def serve(
    settings: Settings, listener: socket.socket | None = None, on_ready: Callable[[], None] = lambda: None
) -> None:
    """Serve until SIGTERM or SIGINT, on a port that is shared when its socket is given. The engine URLs must be set."""
    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(_serve(settings, listener, on_ready))


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop

    return uvloop.new_event_loop()

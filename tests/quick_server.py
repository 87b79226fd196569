"""uvicorn as tests run it, hundreds of times."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn


def free_listener() -> socket.socket:
    """A listener on a free port of this machine.

    asyncio sends at once only on sockets that were made with a protocol; without it each answer waits 40 ms for an ACK.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


class QuickServer(uvicorn.Server):
    """Leaves the test's signals alone, and ends in uvicorn's order without the 0.2 s that uvicorn sleeps on the way."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing is captured."""
        yield

    async def main_loop(self) -> None:
        """Wait for the end."""
        while True:
            if await self.on_tick(0):
                return
            await asyncio.sleep(0.01)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what listens, let connections and requests end within the configured time, then the application."""
        for server in self.servers:
            server.close()
        for listener in sockets or []:
            listener.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        try:
            async with asyncio.timeout(self.config.timeout_graceful_shutdown):
                while True:
                    if not self.server_state.connections and not self.server_state.tasks:
                        break
                    await asyncio.sleep(0.005)
        except TimeoutError:
            for task in self.server_state.tasks:
                task.cancel()
        await self.lifespan.shutdown()

"""The websockets library's own `broadcast`, which frames for each socket and never waits."""

import asyncio
import sys

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

viewers: set[ServerConnection] = set()


async def handle(connection: ServerConnection) -> None:
    """The publisher's messages go to everybody; viewers only listen."""
    assert connection.request is not None
    if connection.request.path == "/publish":
        async for message in connection:
            broadcast(viewers, message)
        return
    viewers.add(connection)
    try:
        await connection.wait_closed()
    finally:
        viewers.discard(connection)


async def run(port: int) -> None:
    """Serve until the process ends."""
    async with serve(handle, "127.0.0.1", port, compression=None, ping_interval=None, backlog=4_096):
        await asyncio.get_running_loop().create_future()


def main() -> None:
    """`websockets_broadcast.py PORT`"""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(run(int(sys.argv[1])))


if __name__ == "__main__":
    main()

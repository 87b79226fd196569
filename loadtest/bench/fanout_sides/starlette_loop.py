"""What most people write: `await websocket.send_bytes(message)` for each viewer, one after the other."""

import asyncio
import sys

import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.routing import WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

viewers: set[WebSocket] = set()


async def viewer(websocket: WebSocket) -> None:
    """Keep the socket in the set until it ends."""
    await websocket.accept()
    viewers.add(websocket)
    try:
        while True:
            await websocket.receive_bytes()
    except WebSocketDisconnect:
        viewers.discard(websocket)


async def publisher(websocket: WebSocket) -> None:
    """Send each message to everybody."""
    await websocket.accept()
    try:
        while True:
            message = await websocket.receive_bytes()
            for one in list(viewers):
                await one.send_bytes(message)
    except WebSocketDisconnect:
        return


def main() -> None:
    """`starlette_loop.py PORT`"""
    app = Starlette(routes=[WebSocketRoute("/", viewer), WebSocketRoute("/publish", publisher)])
    config = uvicorn.Config(
        app, port=int(sys.argv[1]), ws="websockets-sansio", ws_per_message_deflate=False, ws_ping_interval=None,
        lifespan="off", log_level="error", access_log=False, backlog=4_096,
    )  # fmt: skip
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(uvicorn.Server(config).serve())


if __name__ == "__main__":
    main()

"""A client of the room's socket written against the protocol alone, with codecs that are not the server's."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgpack
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from rooms.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from tests.giftserver.conftest import Web

NewKey = Callable[[], str]
DEADLINE_S = 10.0


class Client:
    """A client written against the protocol alone, with codecs that are not the server's."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.binary = socket.subprotocol == MSGPACK_SUBPROTOCOL
        self.seen: list[dict[str, Any]] = []

    async def send(self, **message: Any) -> None:
        """Send one map."""
        await self.socket.send(msgpack.packb(message) if self.binary else json.dumps(message))

    async def read(self) -> None:
        """Read one frame."""
        frame = await asyncio.wait_for(self.socket.recv(), DEADLINE_S)
        messages = msgpack.unpackb(frame) if isinstance(frame, bytes) else json.loads(frame)
        assert isinstance(messages, list)
        self.seen += messages

    async def wait(self, kind: str, **fields: Any) -> dict[str, Any]:
        """The first message of this type with these fields; messages before it stay in `seen`."""
        while True:
            for message in self.seen:
                if message["type"] == kind and fields.items() <= message.items():
                    return message
            await self.read()

    async def gift(self, id: int, key: str, /, **fields: Any) -> dict[str, Any]:
        """Send a gift and wait for its reply or error (with a null id when it could not be read)."""
        sent = len(self.seen)
        await self.send(**({"type": "send_gift", "id": id, "key": key, "gift": "dewdrop", "quantity": 1} | fields))
        while True:
            for message in self.seen[sent:]:
                if message["type"] in ("reply", "error") and message["id"] in (id, None):
                    return message
            await self.read()


@contextlib.asynccontextmanager
async def joined(
    web: Web,
    user: str | None = "ana",
    *,
    codec: str | None = JSON_SUBPROTOCOL,
    query: str = "",
    room: str = "harbour",
    role: str = "viewer",
    origin: Any = None,
    ttl_s: int = 600,
) -> AsyncIterator[Client]:
    """An open socket of somebody, welcome already read."""
    headers = web.bearer(user, role, ttl_s=ttl_s) if user is not None else {}
    url = str(web.http.base_url).replace("http", "ws").rstrip("/") + f"/v1/rooms/{room}/ws{query}"
    subprotocols: Any = [codec] if codec else None
    async with connect(url, subprotocols=subprotocols, additional_headers=headers, origin=origin) as socket:
        client = Client(socket)
        await client.wait("welcome")
        yield client


async def expect_refusal(web: Web, status: int, code: str, **options: Any) -> None:
    """Opening the socket must be refused with this HTTP status and error code."""
    with pytest.raises(InvalidStatus) as refusal:
        async with joined(web, **options):
            pass
    assert refusal.value.response.status_code == status
    error = json.loads(refusal.value.response.body)["error"]
    assert error["code"] == code, error
    assert error["message"]


async def balance(web: Web, user: str = "ana") -> int | None:
    """Coins of a user now."""
    return await web.services.ledger.balance(user)

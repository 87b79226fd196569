"""The room's socket: who may open it, what it answers, and that nothing bad is ever charged."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import msgpack
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from giftserver.auth.tokens import Identity, mint
from giftserver.settings import Settings
from giftserver.web import commands
from rooms.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from rooms.protocol import RoomStatus
from tests.giftserver.web.conftest import Web, add_rooms, running

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
) -> AsyncIterator[Client]:
    """An open socket of somebody, welcome already read."""
    headers = web.bearer(user, role) if user is not None else {}
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


@pytest.fixture
async def rich(web: Web) -> Web:
    """A web process where ana has 1,000 coins."""
    await web.give_coins("ana", 1_000)
    return web


async def balance(web: Web, user: str = "ana") -> int | None:
    """Coins of a user now."""
    return await web.services.ledger.balance(user)


@pytest.mark.parametrize("codec", [JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL, None])
async def test_a_gift_reaches_everybody(rich: Web, new_key: NewKey, codec: str | None) -> None:
    """The sender gets a receipt, every viewer the gift and later one end of the combo, in either codec."""
    key = new_key()
    async with joined(rich, codec=codec) as ana, joined(rich, None, codec=codec) as guest:
        welcome = ana.seen[0]
        assert welcome["you"] == {"id": "ana", "name": "Ana", "role": "viewer", "balance_coins": 1_000}
        assert (await guest.wait("snapshot"))["status"] == "live"
        reply = await ana.gift(7, key, quantity=3)
        assert reply["result"] | {"transfer": ""} == {
            "transfer": "",
            "key": key,
            "coins": 3,
            "diamonds": 3,
            "balance_coins": 997,
            "state": "accepted",
        }
        for client in (ana, guest):
            gift = await client.wait("gift", transfer=reply["result"]["transfer"])
            assert (gift["quantity"], gift["coins"], gift["combo_quantity"], gift["offset"]) == (3, 3, 3, 1)
            assert gift["sender"] == {"id": "ana", "name": "Ana"}
            ended = await client.wait("combo_ended", combo=gift["combo"])
            assert (ended["quantity"], ended["coins"], ended["offset"]) == (3, 3, 2)


async def test_resent_key_gets_the_same_receipt(rich: Web, new_key: NewKey) -> None:
    """On the same socket, another socket, and after the room closed: charged once, shown once."""
    key = new_key()
    async with joined(rich) as one:
        first = (await one.gift(1, key))["result"]
        assert (await one.gift(2, key))["result"] == first
    async with joined(rich) as two:
        assert (await two.gift(3, key))["result"] == first
        await rich.services.rooms.set_live("harbour", False)
        assert (await two.gift(4, key))["result"] == first
        assert (await two.gift(5, new_key()))["code"] == "room_not_live"
    assert await balance(rich) == 999
    assert (await rich.services.history.open("harbour"))[1] <= 2


BAD_QUANTITIES = [0, -1, 1.5, True, "7", 2**63, float("nan"), None, [1], 10_000]


@pytest.mark.parametrize("codec", [JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL])
async def test_bad_quantities_are_refused_by_name(rich: Web, new_key: NewKey, codec: str) -> None:
    """Only whole numbers 1…9999: each of the others gets an error for its command and nothing is charged."""
    for quantity in BAD_QUANTITIES:
        async with joined(rich, codec=codec) as ana:
            error = await ana.gift(1, new_key(), quantity=quantity)
            assert (error["type"], error["code"]) == ("error", "bad_request"), quantity
            assert error["message"]
    assert await balance(rich) == 1_000


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"gift": "no-such-gift"}, "gift_unavailable"),
        ({"price_coins": 2}, "price_changed"),
        ({"to": "tomas"}, "bad_request"),
        ({"gift": "cosmos-loom"}, "insufficient_coins"),
        ({"note": "x" * 81}, "bad_request"),
        ({"surprise": 1}, "bad_request"),
        ({"key": "not-a-key"}, "bad_request"),
        ({"key": "6ba7b810-9dad-41d1-80b4-00c04fd430c8"}, "bad_request"),
        ({"type": "send_coins"}, "bad_request"),
    ],
)
async def test_bad_gifts_are_refused_by_name(rich: Web, new_key: NewKey, fields: dict[str, Any], code: str) -> None:
    """Each wrong field has its own error; nothing is charged."""
    async with joined(rich) as ana:
        error = await ana.gift(1, new_key(), **fields)
        assert (error["type"], error["code"]) == ("error", code)
    assert await balance(rich) == 1_000


async def test_keys_expire(rich: Web) -> None:
    """A key older than 10 minutes is refused: it could have been used and forgotten."""
    old = (int(time.time() * 1_000) - 700_000) << 80 | 7 << 76 | 2 << 62 | 1
    text = f"{old:032x}"
    async with joined(rich) as ana:
        error = await ana.gift(1, f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")
        assert error["code"] == "key_expired"
    assert await balance(rich) == 1_000


async def test_a_key_stands_for_one_request_of_one_user(rich: Web, new_key: NewKey) -> None:
    """Another body is refused; another user's same key is their own."""
    key = new_key()
    await rich.give_coins("ben", 10)
    async with joined(rich) as ana, joined(rich, "ben") as ben:
        await ana.gift(1, key)
        assert (await ana.gift(2, key, quantity=2))["code"] == "key_reused"
        assert (await ana.gift(3, key, gift="clover"))["code"] == "key_reused"
        assert (await ben.gift(1, key))["result"]["balance_coins"] == 9
    assert await balance(rich) == 999


async def test_rooms_offline_and_creators_themselves(rich: Web, new_key: NewKey) -> None:
    """No gifts into a room that is not live, none to oneself, none from a guest."""
    async with joined(rich, room="attic") as ana:
        assert (await ana.gift(1, new_key()))["code"] == "room_not_live"
    await rich.give_coins("mira", 10)
    async with joined(rich, "mira", role="creator") as mira:
        assert (await mira.gift(1, new_key()))["code"] == "self_gift"
    async with joined(rich, None) as guest:
        assert (await guest.gift(1, new_key()))["code"] == "unauthorized"


async def test_who_may_not_come_in(web: Web) -> None:
    """Unknown room, foreign page, bad and expired identities, wrong subprotocol: refused before the handshake."""
    await expect_refusal(web, 404, "room_not_found", room="nowhere")
    await expect_refusal(web, 403, "forbidden", origin="https://evil.example")
    await expect_refusal(web, 400, "bad_request", codec="giftserver.v9")
    await expect_refusal(web, 400, "bad_request", query="?epoch=abc")
    await expect_refusal(web, 400, "bad_request", query="?epoch=abc&offset=-1")
    await expect_refusal(web, 400, "bad_request", query="?epoch=abc&offset=99999999999999999999")
    await expect_refusal(web, 401, "unauthorized", user=None, query="?ticket=never-issued")
    for headers in ({"authorization": "Basic abc"}, {"authorization": "Bearer abc.def.ghi"}):
        web_with = Web(web.app, web.settings, web.engines, web.http)
        web_with.bearer = lambda *_, headers=headers: headers  # type: ignore[method-assign]
        await expect_refusal(web_with, 401, "unauthorized")
    expired = mint(web.settings, "ana", "Ana", "viewer", None, -100)
    web_with.bearer = lambda *_: {"authorization": f"Bearer {expired}"}  # type: ignore[method-assign]
    await expect_refusal(web_with, 401, "unauthorized")


async def test_a_ticket_opens_one_socket(web: Web) -> None:
    """A browser's ticket is used once; the second time it is refused."""
    ticket = await web.services.tickets.issue(Identity("ana", "Ana", "viewer", None, time.time() + 60))
    async with joined(web, None, query=f"?ticket={ticket}") as ana:
        assert ana.seen[0]["you"]["id"] == "ana"
    await expect_refusal(web, 401, "unauthorized", user=None, query=f"?ticket={ticket}")


async def test_own_pages_may_connect(web: Web) -> None:
    """The server's own origin is allowed."""
    async with joined(web, origin=web.settings.base_url) as ana:
        assert ana.seen[0]["type"] == "welcome"


async def test_sessions_end(rich: Web, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Money commands after the identity's end are refused, and the socket is closed with 4500."""
    ends_s = time.time() + 60
    ticket = await rich.services.tickets.issue(Identity("ana", "Ana", "viewer", None, ends_s))
    async with joined(rich, None, query=f"?ticket={ticket}") as ana:
        assert (await ana.gift(1, new_key()))["type"] == "reply"
        monkeypatch.setattr(commands, "time", SimpleNamespace(time=lambda: ends_s + 1))
        assert (await ana.gift(2, new_key()))["code"] == "unauthorized"
        with pytest.raises(ConnectionClosed) as closed:
            await ana.wait("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4500
    assert await balance(rich) == 999


@pytest.mark.parametrize(
    ("codec", "frame", "close_code"),
    [
        (JSON_SUBPROTOCOL, "{", None),
        (JSON_SUBPROTOCOL, "[" * 10_000 + "]" * 10, None),
        (JSON_SUBPROTOCOL, '{"a":' * 3_000 + "1" + "}" * 100, None),
        (JSON_SUBPROTOCOL, "null", None),
        (JSON_SUBPROTOCOL, "\ud83d".encode("utf-8", "surrogatepass").decode("utf-8", "replace"), None),
        (JSON_SUBPROTOCOL, b"\x81\xa4type", 4501),
        (JSON_SUBPROTOCOL, "x" * 1_048_576, 1009),
        (MSGPACK_SUBPROTOCOL, b"\xc1", None),
        (MSGPACK_SUBPROTOCOL, b"\x91" * 10_000, None),
        (MSGPACK_SUBPROTOCOL, b"\x81\xa1a" * 5_000, None),
        (MSGPACK_SUBPROTOCOL, b"\xdf\xff\xff\xff\xff", None),
        (MSGPACK_SUBPROTOCOL, b"\xdd\xff\xff\xff\xff", None),
        (MSGPACK_SUBPROTOCOL, b"\xc6\xff\xff\xff\xff", None),
        (MSGPACK_SUBPROTOCOL, "text", 4501),
        (MSGPACK_SUBPROTOCOL, b"x" * 1_048_576, 1009),
    ],
)
async def test_malformed_frames(rich: Web, new_key: NewKey, codec: str, frame: Any, close_code: int | None) -> None:
    """An error or a close code, never a traceback; the room goes on for everybody else."""
    async with joined(rich, None, codec=codec) as other, joined(rich, codec=codec) as ana:
        await ana.socket.send(frame)
        if close_code is None:
            error = await ana.wait("error")
            assert (error["id"], error["code"]) == (None, "bad_request")
            assert (await ana.gift(1, new_key()))["type"] == "reply"
        else:
            with pytest.raises(ConnectionClosed) as closed:
                await ana.wait("never")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == close_code
            async with joined(rich) as again:
                assert (await again.gift(1, new_key()))["type"] == "reply"
        await other.wait("gift", quantity=1)


async def test_a_flood_is_refused_then_closed(rich: Web, new_key: NewKey) -> None:
    """Commands over the rate get rate_limited with a time to wait, then close 4029; others do not notice."""
    async with joined(rich, None) as other, joined(rich) as ana:
        with contextlib.suppress(ConnectionClosed):
            for number in range(1, 400):
                await ana.send(type="send_gift", id=number, key="x" * 36, gift="dewdrop", quantity=1)
        with pytest.raises(ConnectionClosed) as closed:
            await ana.wait("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4029
        errors = [message for message in ana.seen if message["type"] == "error" and message["code"] == "rate_limited"]
        assert errors
        assert all(error["temporary"] and error["retry_after_ms"] > 0 for error in errors)
        async with joined(rich) as again:
            await again.wait("welcome")
        await other.wait("snapshot")
    assert await balance(rich) == 1_000


async def test_sockets_of_one_user_are_limited(settings: Settings) -> None:
    """One more than allowed is refused with 429; closing one makes room."""
    async with running(settings.model_copy(update={"sockets_per_user": 2})) as web:
        await add_rooms(web.engines)
        async with joined(web), joined(web):
            await expect_refusal(web, 429, "rate_limited")
        for _ in range(3):
            async with joined(web):
                pass


async def test_a_slow_reader_is_closed_and_delays_nobody(rich: Web, new_key: NewKey) -> None:
    """A client that stops reading gets its bounded outbox and then 4008; the others see everything."""
    async with joined(rich, None) as slow, joined(rich) as ana:
        slow.socket.transport.pause_reading()
        room = rich.services.hub.rooms["harbour"]
        stalled = next(connection for connection in room.connections if connection.member.id is None)
        sent = 0
        while stalled.closed_with is None:
            sent += 1
            assert sent < 1_000, "64 MiB were kept for a client that does not read"
            room.push(RoomStatus("live", "t" * 65_536, str(sent)))
            room.flush()
            await ana.wait("room", stream_url=str(sent))
        assert (await ana.gift(1, new_key()))["type"] == "reply"
        slow.socket.transport.resume_reading()
        with pytest.raises(ConnectionClosed) as closed:
            await slow.wait("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4008


async def test_resume_over_the_socket(rich: Web, new_key: NewKey) -> None:
    """A client that comes back with epoch and offset gets exactly what it missed."""
    async with joined(rich) as ana:
        epoch = ana.seen[0]["epoch"]
        for number in range(1, 11):
            await ana.gift(number, new_key())
        await ana.wait("gift", offset=10)
        async with joined(rich, None, query=f"?epoch={epoch}&offset=4") as back:
            assert back.seen[0]["resumed"] is True
            await back.wait("gift", offset=10)
            assert [m["offset"] for m in back.seen if m["type"] == "gift"] == [5, 6, 7, 8, 9, 10]


async def test_room_status_is_pushed(web: Web) -> None:
    """Going offline reaches those who watch."""
    async with joined(web, None) as guest:
        await web.services.rooms.set_live("harbour", False)
        assert (await guest.wait("room"))["status"] == "offline"


async def test_a_rotated_overlay_link_closes_its_overlays(web: Web) -> None:
    """Overlays opened with the old link are told to go; viewers stay."""
    ticket = await web.services.tickets.issue(Identity(None, "", "overlay", "harbour", float("inf")))
    async with joined(web, None, query=f"?ticket={ticket}") as overlay, joined(web) as ana:
        await web.http.post("/v1/studio/harbour/overlay/rotate", headers=web.bearer("mira", "creator"))
        with pytest.raises(ConnectionClosed) as closed:
            await overlay.wait("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4500
        await ana.socket.ping()


async def test_test_gifts_reach_overlay_and_studio_alone(web: Web) -> None:
    """A test gift moves no money and is not shown to viewers; what the overlay shows is told to the studio."""
    ticket = await web.services.tickets.issue(Identity(None, "", "overlay", "harbour", float("inf")))
    async with (
        joined(web, None, query=f"?ticket={ticket}") as overlay,
        joined(web, "mira", role="creator") as mira,
        joined(web) as ana,
    ):
        await web.http.post(
            "/v1/studio/harbour/test-gift", json={"gift": "dewdrop"}, headers=web.bearer("mira", "creator")
        )
        assert (await overlay.wait("test_gift"))["gift"] == "dewdrop"
        await mira.wait("test_gift")
        await overlay.send(type="rendered", offsets=[1])
        assert (await mira.wait("rendered"))["offsets"] == [1]
        await ana.send(type="rendered", offsets=[1])
        assert (await ana.wait("error"))["code"] == "forbidden"
        assert not any(message["type"] in ("test_gift", "rendered") for message in ana.seen)

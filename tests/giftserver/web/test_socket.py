"""The room's socket: who may open it, what everybody is shown, and limits."""

import time
import zlib
from pathlib import Path
from types import SimpleNamespace

import msgpack
import msgspec
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from giftserver.auth.tokens import Identity, mint
from giftserver.gifts.body import Body
from giftserver.gifts.notices import BalanceChanged, GiftsSettled, send_notice
from giftserver.settings import Settings
from giftserver.web import commands
from rooms.codec import JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from rooms.history import Batch, Record
from tests.giftserver.conftest import Web, add_rooms, running
from tests.giftserver.web.sockets import NewKey, balance, expect_refusal, joined


@pytest.fixture(params=[True, False], ids=["edge", "asgi"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Sockets carried by the edge, and as plain ASGI."""
    return settings.model_copy(update={"edge": request.param, "combo_window_ms": 500})


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
        web_with.bearer = lambda *_, headers=headers, **__: headers  # type: ignore[method-assign]
        await expect_refusal(web_with, 401, "unauthorized")
    expired = mint(web.settings, "ana", "Ana", "viewer", None, -100)
    web_with.bearer = lambda *_, **__: {"authorization": f"Bearer {expired}"}  # type: ignore[method-assign]
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


async def test_whoever_only_watches_is_closed_when_the_session_ends(settings: Settings, static_dir: Path) -> None:
    """With the code that says to fetch a new ticket; guests have no session that could end."""
    async with running(settings.model_copy(update={"static_dir": static_dir, "jwt_leeway_s": 1})) as web:
        await add_rooms(web.engines)
        async with joined(web, ttl_s=1) as ana, joined(web, None) as guest:
            with pytest.raises(ConnectionClosed) as closed:
                await ana.wait("never")
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 4500
            assert ana.seen[-1]["type"] == "goodbye"
            await guest.socket.ping()


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


async def test_whoever_comes_too_many_at_once_is_told_when_to_come_back(settings: Settings, static_dir: Path) -> None:
    """By a goodbye that a browser can read, each a later time; who is in already is served meanwhile."""
    changed = {"static_dir": static_dir, "accepts_per_s": 2, "demo": True}
    async with running(settings.model_copy(update=changed)) as web:
        await add_rooms(web.engines)
        url = str(web.http.base_url).replace("http", "ws").rstrip("/") + "/v1/rooms/harbour/ws"
        async with joined(web, None) as early:
            away: list[int] = []
            places_ms: list[float] = []
            while len(away) < 5:
                async with connect(url, subprotocols=[Subprotocol(MSGPACK_SUBPROTOCOL)]) as socket:
                    [first, *_] = msgpack.unpackb(await socket.recv())
                    if first["type"] != "goodbye":
                        continue
                    assert first["code"] == 4004
                    away.append(first["reconnect_after_ms"])
                    places_ms.append(time.monotonic() * 1_000 + away[-1])
                    with pytest.raises(ConnectionClosed) as closed:
                        await socket.recv()
                    assert closed.value.rcvd is not None
                    assert closed.value.rcvd.code == 4004
            assert places_ms == sorted(places_ms)
            assert min(away) > 0
            assert places_ms[-1] > places_ms[0] + 500
            await early.socket.ping()
        assert 'giftserver_refused_sockets_total{reason="busy"} 5.0' in (await web.http.get("/metrics")).text


async def test_sockets_of_one_user_are_limited(settings: Settings) -> None:
    """One more than allowed is refused with 429; closing one makes room."""
    async with running(settings.model_copy(update={"sockets_per_user": 2})) as web:
        await add_rooms(web.engines)
        async with joined(web), joined(web):
            await expect_refusal(web, 429, "rate_limited")
        for _ in range(3):
            async with joined(web):
                pass


async def test_nothing_is_inflated(rich: Web) -> None:
    """Who offers to compress is let in without it, and a frame that is compressed all the same closes with 1002."""
    async with joined(rich) as ana:  # offers it, as browsers do
        assert ana.socket.protocol.extensions == []
        packer = zlib.compressobj(wbits=-15)
        bomb = packer.compress(b" " * 2**20) + packer.flush(zlib.Z_SYNC_FLUSH)
        ana.socket.transport.write(b"\xc1\xfe" + len(bomb).to_bytes(2, "big") + bytes(4) + bomb)
        with pytest.raises(ConnectionClosed) as closed:
            await ana.wait("never")
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1002


async def test_a_slow_reader_is_closed_and_delays_nobody(rich: Web, new_key: NewKey) -> None:
    """A client that stops reading gets its bounded outbox and then 4008; the others see everything."""
    async with joined(rich, None) as slow, joined(rich) as ana:
        slow.socket.transport.pause_reading()
        room = rich.services.hub.rooms["harbour"]
        stalled = next(connection for connection in room.connections if connection.member.id is None)
        body = msgspec.json.encode(Body("00-1-1", "ben", "Ben", "kite", 1, 1_000, 1_000, "t" * 65_536)).decode()
        sent = 0
        while stalled.closed_with is None:
            sent += 1
            assert sent < 1_000, "64 MiB were kept for a client that does not read"
            room.deliver(Batch(room.epoch, [Record(room.offset + 1, "e", 0, "", 1, 1_000, body)]))
            room.flush()
            await ana.wait("gift", offset=sent)
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


async def test_notices_reach_the_person_they_are_about(web: Web) -> None:
    """`settled` and `balance` come to every socket of that person, in either codec, and to nobody else."""
    async with (
        joined(web) as one,
        joined(web, codec=MSGPACK_SUBPROTOCOL) as two,
        joined(web, "ben") as ben,
    ):
        await send_notice(web.engines.rooms_redis, GiftsSettled({"ana": ["07-1-1", "07-1-2"]}))
        await send_notice(web.engines.rooms_redis, BalanceChanged("ana", 42))
        for client in (one, two):
            assert (await client.wait("balance"))["coins"] == 42
            assert (await client.wait("settled"))["transfers"] == ["07-1-1", "07-1-2"]
        await send_notice(web.engines.rooms_redis, BalanceChanged("ben", 7))
        assert (await ben.wait("balance"))["coins"] == 7
        assert not any(message["type"] == "settled" for message in ben.seen)

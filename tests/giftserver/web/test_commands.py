"""What a socket answers to commands, good and bad: nothing bad is ever charged."""

import asyncio
import contextlib
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from giftserver.auth.tokens import Identity
from giftserver.durable.intake import broken_rule
from giftserver.errors import Refusal
from giftserver.gifts.catalog import Catalog
from giftserver.gifts.messages import Commands, SendGift
from giftserver.ledger.events import GiftEvent
from giftserver.ledger.keys import shard_of
from giftserver.settings import Settings
from rooms.codec import JSON, JSON_SUBPROTOCOL, MSGPACK_SUBPROTOCOL
from tests.giftserver.conftest import Web
from tests.giftserver.web.sockets import NewKey, balance, joined


@pytest.fixture(params=[True, False], ids=["edge", "asgi"])
def settings(settings: Settings, request: pytest.FixtureRequest) -> Settings:
    """Sockets carried by the edge, and as plain ASGI."""
    return settings.model_copy(update={"edge": request.param})


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


KEY = "01890a5d-ac96-774b-bcce-b302099a8057"
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
        ({"note": "a\0b"}, "bad_request"),
        ({"note": "line\n"}, "bad_request"),
        ({"note": "\u202egnp.exe"}, "bad_request"),
        ({"gift": "dewdrop\n"}, "bad_request"),
        ({"to": "mira\n"}, "bad_request"),
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


async def test_two_devices_spend_the_last_coins(rich: Web, new_key: NewKey) -> None:
    """Both at once, each with all that is there: exactly one gift, and the other is told what is left."""
    await rich.give_coins("ben", 10)
    async with joined(rich, "ben") as phone, joined(rich, "ben") as laptop:
        replies = await asyncio.gather(*(one.gift(1, new_key(), quantity=10) for one in (phone, laptop)))
    [refused] = [reply for reply in replies if reply["type"] == "error"]
    assert (refused["code"], refused["balance_coins"]) == ("insufficient_coins", 0)
    assert await balance(rich, "ben") == 0


async def test_a_price_that_changes_meanwhile(rich: Web, new_key: NewKey, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was shown the old one is told the new one and not charged; what was bought at the old one stays bought."""
    key = new_key()
    async with joined(rich) as ana:
        first = (await ana.gift(1, key, price_coins=1))["result"]
        old = rich.services.catalog
        dearer = [msgspec.structs.replace(gift, coins=gift.coins + 1) for gift in old.gifts.values()]
        monkeypatch.setattr(rich.services.gifts, "_catalog", Catalog(old.version + 1, old.languages, dearer))
        error = await ana.gift(2, new_key(), price_coins=1)
        assert (error["code"], error["price_coins"]) == ("price_changed", 2)
        assert await balance(rich) == 999
        assert (await ana.gift(3, key, price_coins=1))["result"] == first
        assert (await ana.gift(4, new_key(), price_coins=2))["result"]["coins"] == 2
    assert await balance(rich) == 997


async def test_rooms_offline_and_creators_themselves(rich: Web, new_key: NewKey) -> None:
    """No gifts into a room that is not live, none to oneself, none from a guest."""
    async with joined(rich, room="attic") as ana:
        assert (await ana.gift(1, new_key()))["code"] == "room_not_live"
    await rich.give_coins("mira", 10)
    async with joined(rich, "mira", role="creator") as mira:
        assert (await mira.gift(1, new_key()))["code"] == "self_gift"
    async with joined(rich, None) as guest:
        assert (await guest.gift(1, new_key()))["code"] == "unauthorized"


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
                await ana.send(type="send_gift", id=number, key=new_key(), gift="none", quantity=1)
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


@pytest.mark.parametrize("note", ["", "for the chorus!", "Grüße aus dem Zug 🚂", "東京から", "x" * 80])
async def test_what_is_accepted_can_be_booked(rich: Web, new_key: NewKey, note: str) -> None:
    """A gift that the socket takes reaches the durable ledger, whatever its note says."""
    async with joined(rich) as ana:
        receipt = (await ana.gift(1, new_key(), note=note))["result"]
    await rich.settle()
    status = await rich.http.get(f"/v1/gifts/{receipt['key']}", headers=rich.bearer("ana"))
    assert status.json()["state"] == "settled"


@given(
    note=st.text(max_size=90),
    quantity=st.integers(-2, 20_000),
    gift=st.sampled_from(["dewdrop", "cosmos-loom", "dewdrop\n", ""]),
)
def test_nothing_unlawful_is_decoded(note: str, quantity: int, gift: str) -> None:
    """Whatever the codec lets through, the flusher would book."""
    command = {"type": "send_gift", "id": 1, "key": KEY, "gift": gift, "quantity": quantity, "note": note}
    try:
        decoded = JSON.decode(msgspec.json.encode(command), Commands)
    except msgspec.DecodeError:
        return
    coins = 44_999 * decoded.quantity
    event = GiftEvent(
        KEY, "h", "ana", "Ana", "mira", "harbour", decoded.gift, decoded.quantity, coins, coins, 1, 1, decoded.note
    )
    assert broken_rule(shard_of("ana"), event) is None


async def test_the_service_refuses_what_the_flusher_would_stop_at(
    rich: Web, new_key: NewKey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even past the codec: an event that cannot be booked is refused before anything is charged."""
    command = SendGift(id=1, key=new_key(), gift="dewdrop", quantity=1, note="a\0b")
    reply = await rich.services.gifts.send(Identity("ana", "Ana", "viewer", None, float("inf")), "harbour", command)
    assert isinstance(reply, Refusal)
    assert reply.code.name == "bad_request"
    assert await balance(rich) == 1_000

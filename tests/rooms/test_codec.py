"""Both codecs say the same, frame what was encoded once, and survive whatever bytes come."""

import json
from typing import Any

import msgpack
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rooms.codec import CODECS, JSON, MSGPACK, Codec, Encoded, choose_codec
from rooms.protocol import Command, Goodbye, Viewers

COUNTS = [0, 1, 15, 16, 65_535, 65_536]


class Poke(Command, tag="poke", frozen=True):
    """A command of these tests."""

    id: int


@pytest.mark.parametrize("count", COUNTS)
def test_frames_are_arrays_of_the_messages(count: int) -> None:
    """Independent decoders read a frame of any length as the array of its messages."""
    element = Viewers(7)
    for codec, decode in ((JSON, json.loads), (MSGPACK, msgpack.unpackb)):
        frame = codec.frame([codec.encode(element)] * count)
        assert decode(frame.payload) == [{"type": "viewers", "count": 7}] * count


def test_a_message_is_encoded_once_a_codec() -> None:
    """Sockets share the bytes."""
    encoded = Encoded(Goodbye(4001, "restart", 10))
    for codec in CODECS:
        assert encoded.to(codec) is encoded.to(codec)


@given(data=st.binary(max_size=200))
def test_any_bytes_decode_or_raise_decode_error(data: bytes) -> None:
    """No input raises anything but DecodeError."""
    for codec in CODECS:
        try:
            command = codec.decode(data, Poke)
        except msgspec.DecodeError:
            continue
        assert isinstance(command, Poke)


@pytest.mark.parametrize(
    ("codec", "data"),
    [
        (JSON, b"[" * 100_000),
        (JSON, b'{"type":"poke","id":1,"x":' + b"[" * 10_000 + b"]" * 10_000 + b"}"),
        (MSGPACK, b"\x91" * 100_000),
        (MSGPACK, b"\xdd\xff\xff\xff\xff"),
        (JSON, b'{"type":"poke","id":"\xff"}'),
    ],
)
def test_hostile_bytes_are_a_decode_error(codec: Codec, data: bytes) -> None:
    """Nesting, lengths that lie and bad UTF-8 are refused like any other malformed message."""
    with pytest.raises(msgspec.DecodeError):
        codec.decode(data, Poke)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([], JSON),
        (["giftserver.v1.json"], JSON),
        (["giftserver.v9", "giftserver.v1.msgpack", "giftserver.v1.json"], MSGPACK),
        (["giftserver.v9"], None),
    ],
)
def test_the_first_known_subprotocol_is_taken(offered: list[str], chosen: Any) -> None:
    """JSON without an offer, nothing when none fits."""
    assert choose_codec(offered) is chosen

"""The two codecs of the protocol, and messages encoded once each however many sockets get them."""

from collections.abc import Sequence
from typing import Any, Final, Literal, Protocol

import msgspec

from rooms.frames import Frame

MSGPACK_SUBPROTOCOL: Final = "giftserver.v1.msgpack"
JSON_SUBPROTOCOL: Final = "giftserver.v1.json"
DEPTH_MAX: Final = 32
"""Deepest nesting a client may send; commands need three."""


class Codec(Protocol):
    """Bytes of one subprotocol."""

    @property
    def name(self) -> Literal["msgpack", "json"]:
        """Short name."""
        ...

    @property
    def subprotocol(self) -> str:
        """Name on the wire."""
        ...

    @property
    def binary(self) -> bool:
        """Whether frames are binary, else text."""
        ...

    def encode(self, message: Any) -> bytes:
        """One message as bytes."""
        ...

    def decode(self, data: bytes, kind: Any) -> Any:
        """One message of type `kind`; raises msgspec.DecodeError or ValidationError (a DecodeError)."""
        ...

    def frame(self, elements: Sequence[bytes]) -> Frame:
        """An array of already encoded messages, as one frame."""
        ...


class MsgpackCodec:
    """giftserver.v1.msgpack: binary frames."""

    name: Final = "msgpack"
    subprotocol: Final = MSGPACK_SUBPROTOCOL
    binary: Final = True

    def __init__(self) -> None:
        self.encode = msgspec.msgpack.Encoder().encode
        self._decoders: dict[Any, msgspec.msgpack.Decoder[Any]] = {}

    def decode(self, data: bytes, kind: Any) -> Any:
        """One message of type `kind`; raises msgspec.DecodeError."""
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.msgpack.Decoder(kind)
        return _guarded(decoder.decode, data)

    def frame(self, elements: Sequence[bytes]) -> Frame:
        """An array of already encoded messages, as one frame."""
        count = len(elements)
        if count < 16:
            head = bytes((0x90 | count,))
        elif count < 65_536:
            head = b"\xdc" + count.to_bytes(2, "big")
        else:
            head = b"\xdd" + count.to_bytes(4, "big")
        return Frame(head + b"".join(elements), binary=True)


class JsonCodec:
    """giftserver.v1.json: text frames."""

    name: Final = "json"
    subprotocol: Final = JSON_SUBPROTOCOL
    binary: Final = False

    def __init__(self) -> None:
        self.encode = msgspec.json.Encoder().encode
        self._decoders: dict[Any, msgspec.json.Decoder[Any]] = {}

    def decode(self, data: bytes, kind: Any) -> Any:
        """One message of type `kind`; raises msgspec.DecodeError."""
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgspec.json.Decoder(kind)
        return _guarded(decoder.decode, data)

    def frame(self, elements: Sequence[bytes]) -> Frame:
        """An array of already encoded messages, as one frame."""
        return Frame(b"[" + b",".join(elements) + b"]", binary=False)


def _guarded(decode: Any, data: bytes) -> Any:
    try:
        return decode(data)
    except RecursionError:
        raise msgspec.DecodeError(f"nested deeper than {DEPTH_MAX} levels") from None
    except UnicodeDecodeError:
        raise msgspec.DecodeError("text is not UTF-8") from None


MSGPACK: Final[Codec] = MsgpackCodec()
JSON: Final[Codec] = JsonCodec()
CODECS: Final[tuple[Codec, ...]] = (MSGPACK, JSON)


def choose_codec(subprotocols: Sequence[str]) -> Codec | None:
    """Codec of the first offered subprotocol that is ours; JSON when none is offered, None when none fits."""
    if not subprotocols:
        return JSON
    for offered in subprotocols:
        for codec in CODECS:
            if codec.subprotocol == offered:
                return codec
    return None


class Encoded(msgspec.Struct, frozen=True, gc=False):
    """A message that is encoded at most once per codec."""

    message: Any
    _bytes: dict[str, bytes] = msgspec.field(default_factory=dict)

    def to(self, codec: Codec) -> bytes:
        """The message's bytes in this codec."""
        data = self._bytes.get(codec.name)
        if data is None:
            data = self._bytes[codec.name] = codec.encode(self.message)
        return data

"""What hostile or broken clients send: strategies for messages, bytes, frames and handshakes."""

import json
import secrets
import time
import uuid
from typing import Any

import msgpack
from hypothesis import strategies as st

from tests.judges.raw import Piece

ADDED = ("note", "to", "id", "price_coins", "admin", "Quantity")
GIFTS = ("dewdrop", "rose", "kite", "fountain", "nothing-like-it")


def new_key() -> str:
    """A UUIDv7 of now."""
    number = int(time.time() * 1_000) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))


LETTERS = "aZ09_.:- \t\n\x00\x7f\x85\u200b\u2028\u202e\u2066éß漢\U0001f381\\\"'/{[,"
"""Of every kind that somebody may take for another; all of Unicode would take long to draw from."""

numbers = st.integers(1, 2**53 - 1)
texts = st.lists(st.sampled_from(LETTERS), max_size=90).map("".join)
odd_numbers = st.sampled_from(
    [0, -1, 1, 2, 9_999, 10_000, 2**31, 2**53 - 1, 2**53, 2**63, 2**64 - 1, 10**12, 10**13, 1.0]
)
odd_texts = st.sampled_from(
    ["", " ", "\n", "dewdrop\n", "a" * 64, "a" * 65, "../x", "\x00", "\u202e", "é", "😀", "null", "send_gift", "1e3"]
)
leaves = (
    st.none() | st.booleans() | odd_numbers | st.floats(allow_nan=False) | st.integers(-(2**63), 2**64 - 1)
    | odd_texts | texts
)  # fmt: skip
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=8,
)

gifts = st.fixed_dictionaries(
    {
        "type": st.just("send_gift"),
        "id": numbers,
        "key": st.builds(new_key),
        "gift": st.sampled_from(GIFTS),
        "quantity": st.integers(1, 3),
    },
    optional={
        "price_coins": st.sampled_from([None, 1, 2]),
        "to": st.sampled_from([None, "mira", "somebody"]),
        "note": st.lists(st.sampled_from("aé漢\U0001f381 ."), max_size=80).map("".join),
    },
)
renderings = st.fixed_dictionaries(
    {"type": st.just("rendered"), "offsets": st.lists(numbers, max_size=4)}, optional={"id": st.none() | numbers}
)
commands = gifts | renderings


@st.composite
def mutants(draw: Any) -> Any:
    """A command of which a field or two are missing, replaced, renamed or too many; or anything at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(anything)
    message = dict(draw(commands))
    for _ in range(draw(st.sampled_from([0, 0, 1, 2]))):
        name = draw(st.sampled_from(sorted(message))) if message else "type"
        match draw(st.sampled_from(["replace", "replace", "drop", "add", "rename", "nest"])):
            case "replace":
                message[name] = draw(anything)
            case "drop":
                message.pop(name, None)
            case "add":
                message[draw(st.sampled_from(["note", "to", "id", "price_coins", "admin", "Quantity"]))] = draw(
                    anything
                )
            case "rename":
                message[name.upper()] = message.pop(name, None)
            case "nest":
                message[name] = {name: message.get(name)}
    return message


def packed(message: Any, binary: bool) -> bytes:
    """The message's bytes, by encoders that are not the server's."""
    return msgpack.packb(message) if binary else json.dumps(message).encode()


@st.composite
def corrupted(draw: Any, whole: bytes) -> bytes:
    """These bytes with a few flipped, cut out, put in, repeated or torn off."""
    data = bytearray(whole)
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        until = min(len(data), at + draw(st.integers(1, 8)))
        match draw(st.sampled_from(["flip", "cut", "put", "repeat", "tear"])):
            case "flip" if at < len(data):
                data[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del data[at:until]
            case "put":
                data[at:at] = draw(st.binary(min_size=1, max_size=8))
            case "repeat":
                data[at:at] = data[at:until]
            case "tear":
                del data[at:]
    return bytes(data)


DEEP = (b"[", b'{"a":', b"\x91", b"\x81\xa1a")
"""Opens something that is never closed."""


@st.composite
def payloads(draw: Any, binary: bool) -> bytes:
    """Bytes of a message: a mutant, corrupted bytes of a command, noise, or nesting without end."""
    match draw(st.sampled_from(["mutant", "mutant", "mutant", "corrupted", "corrupted", "noise", "deep"])):
        case "mutant":
            return packed(draw(mutants()), binary)
        case "corrupted":
            return bytes(draw(corrupted(packed(draw(commands), binary))))
        case "deep":
            return bytes(draw(st.sampled_from(DEEP)) * draw(st.sampled_from([10, 100, 2_000])))
    return bytes(draw(st.binary(max_size=64)))


@st.composite
def pieces(draw: Any, binary: bool) -> Piece:
    """A frame that is mostly right: opcode, bits, mask and length may lie. No payload is a whole command."""
    right = 2 if binary else 1
    payload = draw(st.binary(max_size=200) | st.just(packed({"type": "send_gift", "id": 1, "quantity": 0}, binary)))
    control = draw(st.sampled_from([8, 9, 10]))
    return Piece(
        opcode=draw(st.sampled_from([right, right, right, 0, 3 - right, control]) | st.integers(0, 15)),
        payload=payload[: draw(st.sampled_from([125, 200]))],
        final=draw(st.sampled_from([True, True, True, False])),
        reserved=draw(st.sampled_from([0, 0, 0, 0, 0, 0, 1, 4])),
        mask=draw(st.sampled_from([b"\0\0\0\0", b"\x01\x02\x03\x04", b"\xff\xff\xff\xff"]) | st.none()),
        length=draw(st.none() | st.none() | st.sampled_from([0, 1, 125, 126, 65_536, 2**31, 2**63 - 1, 2**64 - 1])),
    )


TARGETS = ("/v1/rooms/harbour/ws", "/v1/rooms/nowhere/ws", "/v1/rooms/%00/ws", "/v1/rooms//ws", "/", "*", "/v1/rooms")
visible = st.lists(st.sampled_from([chr(code) for code in range(0x21, 0x100) if code != 0x7F]), max_size=40).map(
    "".join
)


@st.composite
def handshakes(draw: Any) -> bytes:
    """A whole request for a WebSocket in which everything but that wish may be wrong."""
    query = draw(st.sampled_from(["", "?ticket=x", "?epoch=1", "?epoch=a&offset=-1", "?offset=" + "9" * 40, "?%ff=%"]))
    method = draw(st.sampled_from(["GET", "GET", "GET", "POST", "HEAD"]))
    lines = [
        f"{method} {draw(st.sampled_from(TARGETS))}{query} HTTP/1.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
    ]
    usual = {
        "Host": "127.0.0.1",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Protocol": "giftserver.v1.json",
    }
    odd = ["Origin", "Authorization", "Sec-WebSocket-Extensions", "Content-Length", "Transfer-Encoding", "X-Else"]
    for name, value in usual.items():
        lines += [f"{name}: {value}"] * draw(st.sampled_from([1, 1, 1, 1, 0, 2]))
    for name in draw(st.lists(st.sampled_from([*odd, *usual]), max_size=3)):
        value = draw(visible | st.sampled_from(["chunked", "7", "0", "permessage-deflate", "x" * 9_000, "null", ",,"]))
        lines += [f"{name}: {value}"] * draw(st.sampled_from([1, 1, 1, 200]))
    return "\r\n".join([*lines, "", ""]).encode("latin-1")

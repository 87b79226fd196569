"""Raw WebSocket bytes: what we send, and how what a server sends is cut."""

import pytest

from loadtest.frames import Messages, framed, handshake


@pytest.mark.parametrize(("length", "head"), [(125, 6), (126, 8), (1_000, 8)])
def test_a_clients_frame_is_masked_with_zeros(length: int, head: int) -> None:
    """The payload goes as it is, behind a header of the length it takes."""
    frame = framed(b"x" * length, 0x82)
    assert len(frame) == length + head
    assert frame[0] == 0x82
    assert frame[1] & 0x80
    assert frame.endswith(bytes(4) + b"x" * length)


def test_the_handshake_offers_and_identifies() -> None:
    """A subprotocol and a token are in the head, which ends with an empty line."""
    head = handshake("example.org", 80, "/room", "protocol", "token").decode()
    assert head.startswith("GET /room HTTP/1.1\r\nHost: example.org:80\r\n")
    assert "\r\nSec-WebSocket-Protocol: protocol\r\nAuthorization: Bearer token\r\n\r\n" in head
    assert "Authorization" not in handshake("example.org", 80, "/room").decode()


@pytest.mark.parametrize("step", [1, 2, 3, 100, 100_000])
def test_messages_are_whole_however_reads_are_cut(step: int) -> None:
    """Short ones, long ones and very long ones, in order; pings are left out."""
    payloads = [b"", b"a" * 125, b"b" * 126, b"c" * 70_000, b"d"]
    stream = b"\x82\x00\x82\x7d" + payloads[1] + b"\x89\x00" + b"\x82\x7e\x00\x7e" + payloads[2]
    stream += b"\x82\x7f" + (70_000).to_bytes(8, "big") + payloads[3] + b"\x81\x01d"
    messages, found = Messages(), []
    for start in range(0, len(stream), step):
        found += messages.of(stream[start : start + step])
    assert found == payloads

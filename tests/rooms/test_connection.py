"""A connection's outbox is bounded, its close is said once, and its allowance refills."""

import asyncio

import pytest

from rooms import connection
from rooms.codes import DRAINING, KICKED, TOO_MANY, TOO_SLOW
from rooms.connection import Allowance
from rooms.protocol import Viewers
from tests.rooms.conftest import Listener


async def test_a_full_outbox_closes_with_too_slow() -> None:
    """Past the limit nothing more is kept: what is queued is dropped and the socket closed."""
    listener = Listener(outbox_bytes=100)
    listener.connection.send(Viewers(1))
    await asyncio.sleep(0)
    listener.tape.unsent_bytes = 101
    listener.connection.send(Viewers(2))
    await asyncio.sleep(0)
    assert listener.connection.closed_with is TOO_SLOW
    assert listener.tape.closed == (4008, TOO_SLOW.meaning)
    assert listener.tape.unsent_bytes == 0
    listener.connection.send(Viewers(3))
    await asyncio.sleep(0)
    assert [message["count"] for message in listener.messages] == [1]


async def test_what_is_sent_in_one_turn_goes_in_one_frame() -> None:
    """In order, and before the goodbye."""
    listener = Listener()
    for count in (1, 2, 3):
        listener.connection.send(Viewers(count))
    assert listener.tape.frames == []
    await asyncio.sleep(0)
    assert len(listener.tape.frames) == 1
    listener.connection.send(Viewers(4))
    listener.connection.close(KICKED)
    assert [message.get("count") for message in listener.messages] == [1, 2, 3, 4, None]
    assert listener.messages[-1]["type"] == "goodbye"
    await asyncio.sleep(0)
    assert len(listener.tape.frames) == 3


async def test_a_close_that_is_too_much_is_said_once() -> None:
    """What waited does not fit any more: the socket is closed as too slow, not twice."""
    listener = Listener(outbox_bytes=100)
    listener.tape.unsent_bytes = 101
    listener.connection.send(Viewers(1))
    listener.connection.close(KICKED)
    assert listener.connection.closed_with is TOO_SLOW
    assert listener.tape.closed == (4008, TOO_SLOW.meaning)


def test_goodbye_is_said_once() -> None:
    """The first close wins; its reason fits a close frame."""
    listener = Listener()
    listener.connection.close(KICKED, "é" * 200)
    listener.connection.close(DRAINING)
    assert [message["code"] for message in listener.messages] == [4503]
    assert listener.tape.closed is not None
    assert len(listener.tape.closed[1].encode()) <= 120


def test_an_allowance_allows_a_burst_then_its_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice the rate at once, then one more each 1/rate seconds; a refusal says how long to wait."""
    now = [100.0]
    monkeypatch.setattr(connection.time, "monotonic", lambda: now[0])
    allowance = Allowance(10)
    assert [allowance.take() for _ in range(20)] == [0] * 20
    assert 0 < allowance.take() <= 100
    now[0] += 0.125
    assert allowance.take() == 0
    assert allowance.take() > 0


async def test_bytes_go_straight_to_the_transport_while_they_may() -> None:
    """Not before the transport is given, not while frames are held, and not once it is closed or takes no more."""
    listener, wires = Listener(), list[bytes]()
    connection = listener.connection

    def straight() -> bool:
        return connection.backlog() == 0

    assert not straight()
    connection.hold()
    connection.direct(lambda: 0, wires.append)
    assert not straight()
    connection.release([])
    assert straight()
    connection.push(b"now")
    assert wires == [b"now"]
    connection.quiet()
    assert not straight()
    connection.push(b"late")  # of a tick that was on its way
    assert wires == [b"now"]
    connection.direct(lambda: 0, wires.append)
    connection.close(TOO_MANY)
    assert not straight()

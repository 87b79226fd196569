"""Many sockets, slow ones, and newcomers while a tick is on its way."""

import asyncio
from typing import Any

import pytest

from rooms import connection as connection_module
from rooms import room as room_module
from rooms import turns
from rooms.codes import TOO_SLOW
from rooms.connection import FOLD_BYTES, SKIP_LATEST_BYTES
from rooms.history import Batch, Record
from rooms.pace import LAG_S, SHARE, SHARE_MAX, TICK_MAX_S, WRITE_S, Pace
from rooms.protocol import Viewers
from rooms.room import Room
from tests.rooms.conftest import Listener, Plain, until


@pytest.fixture
async def room() -> Room:
    """A room that nothing is ever missed in."""
    history: Any = None
    pace = Pace(0.001)
    return Room(
        "r", "e", 0, history=history, renderer=Plain(), pace=pace, turns=turns.Turns(pace.written), whole=("creator",),
        on_event=lambda room, record: None,
    )  # fmt: skip


def show(room: Room, body: str = "large", count: int = 1) -> None:
    """The next records come over the bus."""
    first = room.offset + 1
    records = [Record(offset, "e", 0, f"e-{offset}", 1, 1, body) for offset in range(first, first + count)]
    room.deliver(Batch("e", records))


def seated(room: Room, count: int) -> list[Listener]:
    """So many who listen."""
    listeners = [Listener() for _ in range(count)]
    for listener in listeners:
        room.attach(listener.connection)
    return listeners


async def test_a_large_room_is_written_to_in_turns(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others have their turn in between; everybody gets every tick, in order, and newcomers what is new to them."""
    monkeypatch.setattr(turns, "SLICE", 10)
    listeners = seated(room, 95)
    show(room)
    room.flush()
    reached = [len(listener.offsets) for listener in listeners]
    assert sum(reached) == 10
    newcomer = Listener()
    assert room.attach(newcomer.connection) == 1
    listeners[0].connection.closed_with = TOO_SLOW  # gone meanwhile
    show(room)
    room.flush()
    await until(lambda: listeners[-1].offsets == [1, 2])
    assert all(listener.offsets == [1, 2] for listener in listeners[1:])
    assert newcomer.offsets == [2]


async def test_what_waits_for_the_tick_reaches_a_newcomer(room: Room) -> None:
    """It is told from where: what was shown before it came, and nothing twice."""
    room.flush()
    early, late = Listener(), Listener()
    room.attach(early.connection)
    await until(lambda: room.silent_s > 0.002)
    show(room)  # in the next turn: the room was quiet
    await until(lambda: early.offsets == [1])
    show(room)  # waits for its tick
    assert room.attach(late.connection) == 1
    await until(lambda: late.offsets == [2])
    assert early.offsets == [1, 2]


async def test_what_a_turn_brings_to_a_quiet_room_is_one_frame(room: Room) -> None:
    """However many batches it comes in; and what comes while a tick is written is the next one, at once."""
    room.flush()
    listeners = seated(room, 3)
    await until(lambda: room.silent_s > 0.002)
    show(room, count=3)
    show(room)
    await until(lambda: room.told == 4)
    assert all(len(listener.tape.frames) == 1 for listener in listeners)
    assert listeners[0].offsets == [1, 2, 3, 4]


async def test_what_comes_while_a_tick_is_written_follows_together(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is written the second tick before everybody was written the first."""
    monkeypatch.setattr(turns, "SLICE", 1)
    listeners = seated(room, 40)
    show(room)
    room.flush()
    assert len(listeners[1].tape.frames) == 0
    for _ in range(3):
        show(room)
        await asyncio.sleep(0)
    assert len(listeners[0].tape.frames) == 1
    await until(lambda: listeners[-1].offsets == [1, 2, 3, 4])
    assert all(len(listener.tape.frames) == 2 for listener in listeners)


async def test_a_large_room_is_written_to_block_by_block(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is shown everything once, in order; the last ones what happened until their turn came."""
    monkeypatch.setattr(turns, "SLICE", 10)
    monkeypatch.setattr(room_module, "SOCKETS_MAX", 10)
    listeners = [Listener() for _ in range(35)]
    for listener in listeners:
        assert room.attach(listener.connection) == 0
    await until(lambda: room.silent_s > 0.002)
    show(room)
    while not listeners[0].offsets:
        await asyncio.sleep(0)  # the very next turn matters
        assert listeners[-1].offsets == []
    assert listeners[-1].offsets == []
    show(room)
    await until(lambda: listeners[-1].offsets)
    assert listeners[-1].offsets == [1, 2]
    assert len(listeners[-1].tape.frames) == 1
    await until(lambda: room.told == 2)
    for listener in listeners:
        await until(lambda listener=listener: listener.offsets == [1, 2])
    room.heartbeat()
    await until(lambda: all(listener.tape.frames[-1].payload == b"[]" for listener in listeners))


async def test_blocks_come_and_go_with_their_sockets(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer takes the first free place, and is told from where that block goes on."""
    monkeypatch.setattr(room_module, "SOCKETS_MAX", 2)
    listeners = seated(room, 5)
    assert [block.sockets for block in room._blocks] == [2, 2, 1]
    show(room)
    late = Listener()
    room.detach(listeners[0].connection)
    room.detach(listeners[0].connection)
    assert room.attach(late.connection) == 0
    newest = Listener()
    room.detach(listeners[4].connection)
    assert [block.sockets for block in room._blocks] == [2, 2]
    assert room.attach(newest.connection) == 1  # of a new block, for which nothing waits
    show(room)
    await until(lambda: newest.offsets)
    assert newest.offsets == [2]
    await until(lambda: late.offsets == [1, 2])
    assert listeners[0].offsets == listeners[4].offsets == []
    for listener in (*listeners[1:4], late, newest):
        room.detach(listener.connection)
    assert [block.sockets for block in room._blocks] == [0]


async def test_a_small_room_does_not_wait_for_a_large_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does one whose writing fails hold up another."""
    monkeypatch.setattr(turns, "SLICE", 10)
    order: list[str] = []

    class Writes:
        def __init__(self, name: str, sockets: int) -> None:
            self.name, self.left = name, sockets

        @property
        def more(self) -> bool:
            return self.left > 0

        def write(self, most: int) -> int:
            order.append(self.name)
            some = min(most, self.left)
            self.left -= some
            if self.name == "fails":
                self.left = 0
                raise RuntimeError("a bug")
            return some

    slices: list[int] = []
    shared = turns.Turns(lambda seconds, sockets: slices.append(sockets))
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    shared.ask(Writes("large", 35))
    for name, sockets in (("fails", 5), ("small", 3), ("other", 4)):
        shared.ask(Writes(name, sockets))
    await until(lambda: sum(slices) == 42)
    assert order == ["large", "large", "fails", "small", "other", "large", "large", "large"]
    assert max(slices) <= 10


async def test_slow_viewers_are_shown_less_then_closed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """States first, then small events one by one; a creator keeps every event; beyond the outbox the socket closes.

    What is for one of them alone, such as a receipt, comes all the same.
    """
    usual, behind, far_behind, gone = (Listener(outbox_bytes=1_000_000) for _ in range(4))
    creator = Listener("creator", outbox_bytes=1_000_000)
    for listener in (usual, behind, far_behind, gone, creator):
        room.attach(listener.connection)
    behind.tape.unsent_bytes = SKIP_LATEST_BYTES + 1
    far_behind.tape.unsent_bytes = creator.tape.unsent_bytes = FOLD_BYTES + 1
    gone.tape.unsent_bytes = 1_000_001
    show(room, "small")
    room.push_latest(Viewers(3))
    room.flush()

    def kinds(listener: Listener) -> list[str]:
        return [message["type"] for message in listener.messages]

    assert kinds(usual) == ["shown", "viewers"]
    assert kinds(behind) == ["shown"]
    assert kinds(far_behind) == ["folded"]
    assert kinds(creator) == ["shown"]
    assert gone.connection.closed_with is TOO_SLOW
    far_behind.connection.send(Viewers(4))
    await asyncio.sleep(0)
    assert kinds(far_behind) == ["folded", "viewers"]


async def test_a_viewer_that_is_behind_too_long_is_closed(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even below the limit of its outbox; one that caught up in between begins anew."""
    now = [100.0]
    monkeypatch.setattr(connection_module.time, "monotonic", lambda: now[0])
    listener = Listener(outbox_bytes=1_000_000)
    room.attach(listener.connection)
    listener.tape.unsent_bytes = SKIP_LATEST_BYTES + 1
    for _ in range(10):
        show(room)
        room.flush()
        await asyncio.sleep(0)
        now[0] += 1.0
    now[0] += 3.0
    for _ in range(11):
        assert listener.connection.closed_with is None
        show(room)
        room.flush()
        await asyncio.sleep(0)
        now[0] += 1.0
    show(room)
    room.flush()
    await asyncio.sleep(0)
    assert listener.connection.closed_with is TOO_SLOW


async def test_one_that_fails_holds_up_nobody(room: Room) -> None:
    """Its transport is gone, and its end on its way."""
    first, second = Listener(), Listener()
    for listener in (first, second):
        room.attach(listener.connection)
    first.connection.close(TOO_SLOW)
    show(room)
    room.flush()
    assert second.offsets == [1]
    assert first.offsets == []


def test_ticks_grow_with_the_room_and_what_a_write_takes() -> None:
    """From what is set, up to the longest; a small room's measure says nothing."""
    pace = Pace(0.02)
    assert pace.tick_s(1_000) == 0.02
    assert pace.tick_s(10_000) == pytest.approx(10_000 * WRITE_S / SHARE)
    assert pace.tick_s(1_000_000) == TICK_MAX_S
    pace.written(1.0, 1)
    assert pace.tick_s(1_000) == 0.02
    for _ in range(100):
        pace.written(0.010, 500)
    assert pace.tick_s(1_000) == pytest.approx(0.02 / SHARE, rel=0.01)


def test_a_large_room_is_told_in_time_as_long_as_the_core_can() -> None:
    """Longer ticks would be kinder to others; but the last socket must not be told too late."""
    pace = Pace(0.02)
    for sockets in (15_000, 20_000):
        writing_s = sockets * WRITE_S
        assert pace.tick_s(sockets) + writing_s == pytest.approx(LAG_S)
    assert pace.tick_s(40_000) == pytest.approx(40_000 * WRITE_S / SHARE_MAX)
    assert pace.tick_s(18_000, 18) + 18_000 * WRITE_S / 18 == pytest.approx(LAG_S)


async def test_a_room_that_stops_writes_nothing_more(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was on its way."""
    monkeypatch.setattr(turns, "SLICE", 1)
    listeners = [Listener(), Listener()]
    for listener in listeners:
        room.attach(listener.connection)
    show(room)
    room.flush()
    room.stop()
    await asyncio.sleep(0)
    assert sorted(len(listener.offsets) for listener in listeners) == [0, 1]

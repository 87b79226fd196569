"""One room: what the bus repeats is not shown twice, and nothing overtakes the welcome."""

import asyncio

import pytest

from rooms.history import Batch, History, Record
from rooms.hub import Resume
from rooms.protocol import Push
from rooms.turns import Turns
from tests.rooms.conftest import Listener, MakeHub, Plain, State, event, until


async def test_what_the_bus_repeats_is_left_out(
    history: History, make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records at or below the room's offset are ignored, without asking history."""
    hub = await make_hub()
    listener = Listener()
    room = await hub.join("r", listener.connection, None, None)
    await history.append("r", [event(1), event(2)])
    await until(lambda: listener.offsets == [1, 2])

    async def asked(*_: object) -> None:
        raise AssertionError("history was asked for what is known")

    monkeypatch.setattr(history, "since", asked)
    repeated = [Record(offset, "e", 0, "", 1, 1, "again") for offset in (1, 2, 3)]
    room.deliver(Batch(room.epoch, repeated[:2]))
    room.deliver(Batch(room.epoch, repeated))
    room.flush()
    assert await until(lambda: listener.offsets == [1, 2, 3])


async def test_nothing_overtakes_the_welcome(
    history: History, make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events that come while the snapshot is made follow it."""
    hub = await make_hub()
    listener = Listener()

    async def slow_snapshot(self: Plain, room_id: str) -> Push:
        await history.append("r", [event(1), event(2)])
        await until(lambda: hub.rooms["r"].offset == 2)
        hub.rooms["r"].flush()
        return State(room_id)

    monkeypatch.setattr(Plain, "snapshot", slow_snapshot)
    await hub.join("r", listener.connection, None, None)
    await until(lambda: listener.offsets == [1, 2])
    types = [message["type"] for message in listener.messages if message["type"] != "viewers"]  # counts come by a clock
    assert types == ["welcome", "state", "shown", "shown"]
    assert listener.messages[0]["offset"] == 0


async def test_who_saw_elsewhere_what_waits_here_is_not_shown_it_again(history: History, make_hub: MakeHub) -> None:
    """It comes back between an event and its tick; of an offset that is not known here yet it starts anew."""
    hub = await make_hub(tick_s=0.2, presence_s=60)
    early, back, ahead = Listener(), Listener(), Listener()
    room = await hub.join("r", early.connection, None, None)
    await until(lambda: room.silent_s > 0.2)
    await history.append("r", [event(1)])
    await until(lambda: early.offsets == [1])
    await history.append("r", [event(2), event(3)])
    await until(lambda: room.offset == 3)
    assert room.told == 1
    await hub.join("r", back.connection, Resume(room.epoch, 2), None)
    assert back.connection.resumed
    assert (back.offsets, early.offsets) == ([3], [1, 2, 3])
    await hub.join("r", ahead.connection, Resume(room.epoch, 9), None)
    assert not ahead.connection.resumed
    assert [message["type"] for message in ahead.messages] == ["welcome", "state"]


async def test_a_room_writes_once_a_tick(history: History, make_hub: MakeHub) -> None:
    """The first event of a quiet room goes out at once; those of the next tick share one frame."""
    hub = await make_hub(tick_s=0.2, presence_s=60)
    listener = Listener("overlay")
    room = await hub.join("r", listener.connection, None, None)
    await until(lambda: room.silent_s > 0.2)
    before = len(listener.tape.frames)
    for number in range(1, 11):
        await history.append("r", [event(number)])
    await until(lambda: len(listener.offsets) == 10)
    assert len(listener.tape.frames) - before == 2


async def test_roles_may_be_told_apart(make_hub: MakeHub) -> None:
    """A message to some roles reaches nobody else."""
    hub = await make_hub()
    viewer, overlay = Listener(), Listener("overlay")
    await hub.join("r", viewer.connection, None, None)
    room = await hub.join("r", overlay.connection, None, None)
    room.push_to(("overlay",), State("for the overlay"))
    assert overlay.messages[-1] == {"type": "state", "room": "for the overlay"}
    assert viewer.messages[-1] == {"type": "state", "room": "r"}


async def test_a_room_that_was_stopped_has_no_turns(make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is shown to it too late is let go of: it neither waits for a tick nor asks for one again and again."""
    hub = await make_hub(tick_s=0.001, presence_s=60)
    room = await hub.join("r", Listener().connection, None, None)
    await until(lambda: room.silent_s > 0.002)
    room.stop()
    asked: list[object] = []
    monkeypatch.setattr(Turns, "ask", lambda self, writer: asked.append(writer))
    room.push_latest(State("too late"))
    room.deliver(Batch(room.epoch, [Record(room.offset + 1, "e", 0, "", 1, 1, event(1).body)]))
    for _ in range(20):
        await asyncio.sleep(0.001)
    assert asked == []

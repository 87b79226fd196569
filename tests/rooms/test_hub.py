"""Joining, resuming, healing and leaving: what a listener is shown is exact or refused."""

import asyncio

import pytest
from redis.asyncio import Redis

from rooms.codec import MSGPACK
from rooms.history import History, channel
from rooms.hub import DRAIN_BATCH, Resume
from tests.rooms.conftest import Listener, MakeHub, event, until


async def test_newcomer_gets_welcome_snapshot_and_what_follows(history: History, make_hub: MakeHub) -> None:
    """Without a past: welcome, snapshot, then every later event once and in order, over two processes."""
    await history.append("r", [event(1)])
    one, two = await make_hub(), await make_hub()
    a, b = Listener(), Listener(codec=MSGPACK)
    await one.join("r", a.connection, None, None)
    await two.join("r", b.connection, None, None)
    for number in range(2, 40):
        await history.append("r", [event(number)])
    await until(lambda: len(a.offsets) >= 38 and len(b.offsets) >= 38)
    assert [m["type"] for m in a.messages[:2]] == ["welcome", "state"]
    assert a.messages[0]["offset"] == 1
    assert a.offsets == b.offsets == list(range(2, 40))


async def test_resume_is_exact(history: History, make_hub: MakeHub) -> None:
    """A client that names epoch and offset gets exactly what it missed, also while events keep coming."""
    hub = await make_hub()
    epoch, _ = await history.open("r")
    await history.append("r", [event(number) for number in range(1, 31)])

    async def more() -> None:
        for number in range(31, 81):
            await history.append("r", [event(number)])

    sending = asyncio.create_task(more())
    listeners = [Listener() for _ in range(20)]
    for start, listener in enumerate(listeners):
        await hub.join("r", listener.connection, Resume(epoch, start), None)
    await sending
    for start, listener in enumerate(listeners):
        await until(lambda listener=listener: listener.offsets and listener.offsets[-1] == 80)
        assert listener.messages[0]["resumed"] is True
        assert listener.offsets == list(range(start + 1, 81))


async def test_resume_that_cannot_be_exact_is_refused(history: History, make_hub: MakeHub) -> None:
    """Another epoch, an offset from the future, or one that history no longer reaches: snapshot instead."""
    hub = await make_hub()
    epoch, _ = await history.open("r")
    for start in range(0, 500, 50):
        await history.append("r", [event(number) for number in range(start, start + 50)])
    for resume in (Resume("ffff", 490), Resume(epoch, 501), Resume(epoch, 3)):
        listener = Listener()
        await hub.join("r", listener.connection, resume, None)
        assert listener.messages[0]["resumed"] is False
        assert listener.messages[1]["type"] == "state"


async def test_a_room_swept_before_its_first_listener_arrives_is_opened_again(
    history: History, make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sweep runs between a room's opening and the join that waits for it: the listener still hears everything."""
    hub = await make_hub()
    open_room, swept = hub._open, 0

    async def open_and_sweep(room_id: str) -> object:
        nonlocal swept
        opened = await open_room(room_id)
        if not swept:
            await hub._sweep()
            swept += 1
        return opened

    monkeypatch.setattr(hub, "_open", open_and_sweep)
    listener = Listener()
    room = await hub.join("r", listener.connection, None, None)
    assert swept == 1
    assert hub.rooms["r"] is room
    await history.append("r", [event(1)])
    await until(lambda: listener.offsets == [1])


async def test_a_gap_on_the_bus_is_healed_from_history(history: History, make_hub: MakeHub, rooms_redis: Redis) -> None:
    """An event the bus did not bring is fetched before anything newer is shown."""
    hub = await make_hub()
    listener = Listener()
    await hub.join("r", listener.connection, None, None)
    await history.append("r", [event(1)])
    await until(lambda: listener.offsets == [1])
    await hub.bus.unsubscribe(channel("r"))
    await history.append("r", [event(2)])
    await history.append("r", [event(3)])
    room = hub.rooms["r"]
    from rooms.history import decode_batch

    await hub.bus.subscribe(channel("r"), lambda data: room.deliver(decode_batch(data)))
    await history.append("r", [event(4)])
    await until(lambda: len(listener.offsets) == 4)
    assert listener.offsets == [1, 2, 3, 4]


async def test_lost_bus_connection_loses_nothing(history: History, make_hub: MakeHub, rooms_redis: Redis) -> None:
    """When Redis drops the subscriber, the room heals after reconnecting."""
    hub = await make_hub()
    listener = Listener()
    await hub.join("r", listener.connection, None, None)
    for number in range(1, 21):
        await history.append("r", [event(number)])
        if number == 10:
            await rooms_redis.execute_command("CLIENT", "KILL", "TYPE", "PUBSUB")
    await until(lambda: len(listener.offsets) == 20)
    assert listener.offsets == list(range(1, 21))


async def test_forgotten_history_sends_everybody_to_a_snapshot(
    history: History, make_hub: MakeHub, rooms_redis: Redis
) -> None:
    """After the room's Redis lost its data the epoch is new: clients are told to come back."""
    hub = await make_hub()
    listener = Listener()
    await hub.join("r", listener.connection, None, None)
    await history.append("r", [event(1)])
    await until(lambda: listener.offsets == [1])
    await rooms_redis.flushall()
    await history.append("r", [event(2)])
    await until(lambda: listener.tape.closed)
    assert listener.tape.closed is not None
    assert listener.tape.closed[0] == 4002
    assert listener.offsets == [1]


async def test_appending_twice_shows_once(history: History, make_hub: MakeHub) -> None:
    """An event's id makes it idempotent: the flusher and the web process may both announce it."""
    hub = await make_hub()
    listener = Listener()
    await hub.join("r", listener.connection, None, None)
    counts = await asyncio.gather(*(history.append("r", [event(1), event(2)]) for _ in range(10)))
    await history.append("r", [event(3)])
    await until(lambda: listener.offsets == [1, 2, 3])
    assert sorted(counts) == [0] * 9 + [2]


async def test_combos_are_cumulative_and_end_once(history: History, make_hub: MakeHub) -> None:
    """Gifts within the window share a combo; with several processes its end is told exactly once."""
    hubs = [await make_hub() for _ in range(3)]
    listeners = [Listener() for _ in hubs]
    for hub, listener in zip(hubs, listeners, strict=True):
        await hub.join("r", listener.connection, None, None)
    for number in (1, 2, 3):
        await history.append("r", [event(number, "ana|dewdrop", quantity=number)])
    for listener in listeners:
        await until(lambda listener=listener: len(listener.offsets) == 4)
        shown = [m for m in listener.messages if m["type"] == "shown"]
        assert [m["combo_quantity"] for m in shown] == [1, 3, 6, 6]
        assert [m["kind"] for m in shown] == ["e", "e", "e", "c"]
        assert len({m["combo"] for m in shown}) == 1
    await history.append("r", [event(9, "ana|dewdrop")])
    await until(lambda: all(len(listener.offsets) == 6 for listener in listeners))
    assert [m["combo_quantity"] for m in listeners[0].messages if m["type"] == "shown"][-2:] == [1, 1]


async def test_combo_left_open_by_a_dead_process_ends_when_somebody_comes(history: History, make_hub: MakeHub) -> None:
    """A process that opens a room ends what is due there."""
    await history.append("r", [event(1, "ana|dewdrop")])
    await until(lambda: history_due(history))
    hub = await make_hub()
    listener = Listener()
    epoch, _ = await history.open("r")
    await hub.join("r", listener.connection, Resume(epoch, 0), None)
    await until(lambda: len(listener.offsets) == 2)
    assert [m["kind"] for m in listener.messages if m["type"] == "shown"] == ["e", "c"]


async def history_due(history: History) -> bool:
    """Whether the room's only combo is past its end."""
    import time

    return (await history.combos("r"))[0].ends_at_ms < time.time() * 1_000


async def test_viewers_are_counted_over_processes(make_hub: MakeHub) -> None:
    """Counts add up, overlays do not count, and a stopped process is forgotten."""
    one, two = await make_hub(), await make_hub()
    a, b, overlay = Listener(), Listener(), Listener("overlay")
    room = await one.join("r", a.connection, None, None)
    await two.join("r", b.connection, None, None)
    await two.join("r", overlay.connection, None, None)
    assert await until(lambda: room.viewers == 2)
    await two.stop()
    assert await until(lambda: room.viewers == 1)


async def test_empty_rooms_are_closed_and_open_again(history: History, make_hub: MakeHub) -> None:
    """The last one out lets the room go; the next one in gets it back."""
    hub = await make_hub()
    first, second = Listener(), Listener()
    hub.leave(await hub.join("r", first.connection, None, None), first.connection)
    await until(lambda: "r" not in hub.rooms)
    await hub.join("r", second.connection, None, None)
    await history.append("r", [event(1)])
    assert await until(lambda: second.offsets == [1])


async def test_a_combo_that_begins_while_the_last_one_ends_is_ended(
    history: History, make_hub: MakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis has just said that none is left when one begins: its end comes without another event."""
    hub = await make_hub()
    listener = Listener()
    close_due, began = history.close_due, False

    async def and_one_begins(room_id: str) -> tuple[int, int | None]:
        nonlocal began
        found = await close_due(room_id)
        if listener.offsets and found[1] is None and not began:
            began = True
            await history.append("r", [event(2, "second")])
            await until(lambda: len(listener.offsets) == 3)
        return found

    monkeypatch.setattr(history, "close_due", and_one_begins)
    await hub.join("r", listener.connection, None, None)
    await history.append("r", [event(1, "first")])
    assert await until(lambda: len(listener.offsets) == 4)
    assert began


async def test_silence_is_broken_by_heartbeats(make_hub: MakeHub) -> None:
    """An empty frame comes before heartbeat_s passes."""
    hub = await make_hub(heartbeat_s=1)
    listener = Listener("overlay")
    await hub.join("r", listener.connection, None, None)
    assert await until(lambda: b"[]" in [frame.payload for frame in listener.tape.frames])


async def test_drain_says_goodbye_to_all(make_hub: MakeHub) -> None:
    """Draining closes every socket with 4001, each batch told to come back when the earlier ones are in again."""
    hub = await make_hub()
    listeners = [Listener() for _ in range(2 * DRAIN_BATCH + 5)]
    for listener in listeners:
        await hub.join("r", listener.connection, None, None)
    await hub.drain(0.03, 100)
    for number, listener in enumerate(listeners):
        assert listener.tape.closed is not None
        assert listener.tape.closed[0] == 4001
        assert listener.messages[-1]["type"] == "goodbye"
        batch = number // DRAIN_BATCH
        assert listener.messages[-1]["reconnect_after_ms"] == batch * (DRAIN_BATCH * 10 - 10)

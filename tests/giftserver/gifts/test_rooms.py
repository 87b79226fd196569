"""The directory of rooms is fresh, and goes on while PostgreSQL is away or says nothing."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Collection

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.auth.tokens import Identity
from giftserver.durable.store import open_database
from giftserver.errors import Refusal
from giftserver.gifts import rooms
from giftserver.gifts.messages import Receipt, SendGift
from giftserver.gifts.rooms import RoomDirectory
from tests.giftserver.conftest import Web
from tests.torture.proxy import TcpProxy


@pytest.fixture
async def proxy(web: Web) -> AsyncIterator[TcpProxy]:
    """Between a directory and PostgreSQL."""
    port = make_url(web.settings.database_url or "").port
    assert port is not None
    proxy = TcpProxy(port)
    await proxy.start()
    yield proxy
    await proxy.stop()


@pytest.fixture
async def hanging(web: Web, proxy: TcpProxy) -> AsyncIterator[AsyncEngine]:
    """A database that hangs as soon as the proxy swallows what it gets."""
    url = make_url(web.settings.database_url or "").set(host="127.0.0.1", port=proxy.port)
    engine = open_database(url.render_as_string(hide_password=False))
    yield engine
    await engine.dispose()


async def test_changes_are_seen_at_once_by_the_process_that_made_them(web: Web) -> None:
    """A room that goes offline takes no gifts from then on."""
    directory = web.services.rooms
    room = await directory.get("harbour")
    assert room is not None
    assert room.live
    await directory.set_live("harbour", False)
    room = await directory.get("harbour")
    assert room is not None
    assert not room.live
    assert await directory.set_live("nowhere", True) is None
    assert await directory.get("nowhere") is None


async def test_the_last_known_state_holds_while_postgresql_is_away(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Gifts go on in rooms that were seen; a room never seen raises."""
    directory = RoomDirectory(web.engines.database, web.engines.rooms_redis, web.engines.ledger_redis)
    assert await directory.get("harbour") is not None

    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(rooms, "FRESH_S", 0.0)
    monkeypatch.setattr("giftserver.gifts.rooms.durable_rooms.get_rooms", away)
    room = await directory.get("harbour")
    assert room is not None
    assert room.id == "harbour"
    with pytest.raises(ConnectionRefusedError):
        await directory.get("attic")


async def test_a_postgresql_that_hangs_makes_nobody_wait_in_a_known_room(
    web: Web, proxy: TcpProxy, hanging: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last known state after 0.5 s, one look-up for everybody, and no wait at all behind one that is late."""
    directory = RoomDirectory(hanging, web.engines.rooms_redis, web.engines.ledger_redis)
    assert await directory.get("harbour") is not None
    asked: list[str] = []
    real = rooms.durable_rooms.get_rooms

    async def counted(engine: AsyncEngine, ids: Collection[str]) -> object:
        asked.extend(ids)
        return await real(engine, ids)

    monkeypatch.setattr("giftserver.gifts.rooms.durable_rooms.get_rooms", counted)
    monkeypatch.setattr(rooms, "FRESH_S", 0.0)
    proxy.black_hole = True
    started_s = time.monotonic()
    found = await asyncio.gather(*(directory.get("harbour") for _ in range(50)))
    first_s = time.monotonic() - started_s
    assert {room.id for room in found if room is not None} == {"harbour"}
    assert rooms.KNOWN_WAIT_S * 0.9 <= first_s < rooms.KNOWN_WAIT_S + 0.4
    started_s = time.monotonic()
    assert await directory.get("harbour") is not None
    assert time.monotonic() - started_s < 0.1
    assert asked == ["harbour"]


async def test_a_room_never_seen_is_given_up_in_time(
    web: Web, proxy: TcpProxy, hanging: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a known state the wait ends after LOOK_UP_S; when PostgreSQL answers again the room is there."""
    directory = RoomDirectory(hanging, web.engines.rooms_redis, web.engines.ledger_redis)
    assert await directory.get("attic") is not None
    monkeypatch.setattr(rooms, "LOOK_UP_S", 0.3)
    proxy.black_hole = True
    started_s = time.monotonic()
    with pytest.raises(TimeoutError):
        await directory.get("harbour")
    assert time.monotonic() - started_s < 1.0
    monkeypatch.setattr(rooms, "LOOK_UP_S", 3.0)
    proxy.behave()
    async with asyncio.timeout(5):
        found = None
        while found is None:  # who joins the look-up that hung gets its error
            with contextlib.suppress(TimeoutError):
                found = await directory.get("harbour")


async def test_gifts_go_on_in_a_known_room_while_postgresql_hangs(
    web: Web, proxy: TcpProxy, hanging: AsyncEngine, new_key: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gift is taken within a second, and one to a room never seen is refused in words that say: later."""
    await web.give_coins("ana", 10)
    await web.send_gift("ana", new_key())
    monkeypatch.setattr(rooms, "FRESH_S", 0.0)
    monkeypatch.setattr(rooms, "LOOK_UP_S", 0.6)
    monkeypatch.setattr(web.services.rooms, "_database", hanging)
    proxy.black_hole = True
    started_s = time.monotonic()
    assert isinstance(await web.send_gift("ana", new_key()), Receipt)
    assert time.monotonic() - started_s < 1.0
    ana = Identity("ana", "Ana", "viewer", None, float("inf"))
    refused = await web.services.gifts.send(ana, "attic", SendGift(id=1, key=new_key(), gift="dewdrop", quantity=1))
    assert isinstance(refused, Refusal)
    assert (refused.code.name, refused.code.temporary) == ("unavailable", True)


async def test_a_change_is_not_undone_by_a_look_up_that_began_before_it(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a slow look-up read before the change is not kept."""
    directory = RoomDirectory(web.engines.database, web.engines.rooms_redis, web.engines.ledger_redis)
    real, was_read, go_on = rooms.durable_rooms.get_rooms, asyncio.Event(), asyncio.Event()

    async def slow(engine: AsyncEngine, ids: Collection[str]) -> object:
        found = await real(engine, ids)
        was_read.set()
        await go_on.wait()
        return found

    with monkeypatch.context() as patch:
        patch.setattr("giftserver.gifts.rooms.durable_rooms.get_rooms", slow)
        early = asyncio.create_task(directory.get("harbour"))
        await was_read.wait()
        before = directory._look_ups["harbour"].task
        await directory.set_live("harbour", False)
    go_on.set()
    await asyncio.gather(early, before)
    room = await directory.get("harbour")
    assert room is not None
    assert not room.live


async def test_the_list_as_it_was_known_while_postgresql_hangs(
    web: Web, proxy: TcpProxy, hanging: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list never read is given up in time; one that was read is there after 0.5 s, then at once, then fresh again."""
    directory = RoomDirectory(hanging, web.engines.rooms_redis, web.engines.ledger_redis)
    monkeypatch.setattr(rooms, "LOOK_UP_S", 0.3)
    proxy.black_hole = True
    with pytest.raises(TimeoutError):
        await directory.all()
    proxy.behave()
    monkeypatch.setattr(rooms, "LOOK_UP_S", 3.0)
    async with asyncio.timeout(5):
        known = []
        while not known:
            with contextlib.suppress(TimeoutError):
                known = await directory.all()
    assert [room.id for room in known] == ["harbour", "attic"]
    proxy.black_hole = True
    for most_s in (rooms.KNOWN_WAIT_S + 0.4, 0.1):
        started_s = time.monotonic()
        assert await directory.all() == known
        assert time.monotonic() - started_s < most_s
    proxy.behave()
    await web.services.rooms.set_live("harbour", False)
    async with asyncio.timeout(10):
        while (await directory.all())[0].live:
            continue


async def test_the_list_as_it_was_known_while_postgresql_is_away(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused connections count as away too, and each call asks anew."""
    directory = web.services.rooms
    known = await directory.all()

    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    with monkeypatch.context() as patch:
        patch.setattr("giftserver.gifts.rooms.durable_rooms.list_rooms", away)
        assert await directory.all() == known
    await directory.set_live("harbour", False)
    assert not any(room.live for room in await directory.all())


async def test_a_room_that_is_used_all_the_time_stays_fresh(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read anew before it is too old; one that changed is not told from memory."""
    directory = web.services.rooms
    assert directory.fresh("harbour") is None, "it was never read"
    room = await directory.get("harbour")
    assert directory.fresh("harbour") == room
    assert await directory.get("nowhere") is None
    assert directory.fresh("nowhere") is None
    read_s = directory._cached["harbour"][0]
    async with asyncio.timeout(5):
        while directory._cached["harbour"][0] == read_s:
            assert directory.fresh("harbour") is not None
            await asyncio.sleep(0.01)
    await directory.set_live("harbour", False)
    assert directory.fresh("harbour") is None


async def test_rooms_in_use_are_read_anew_together(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """One query for all of them; one that nobody knew is asked for alone, since it may be no id of a room at all."""
    directory = web.services.rooms
    asked: list[set[str]] = []
    real = rooms.durable_rooms.get_rooms

    async def counted(engine: AsyncEngine, ids: Collection[str]) -> object:
        asked.append(set(ids))
        return await real(engine, ids)

    monkeypatch.setattr("giftserver.gifts.rooms.durable_rooms.get_rooms", counted)
    assert await directory.get("harbour") is not None
    assert await directory.get("attic") is not None
    assert asked == [{"harbour"}, {"attic"}]
    read_s = {room_id: at_s for room_id, (at_s, _) in directory._cached.items()}

    def all_anew() -> bool:
        assert directory.fresh("harbour") is not None
        assert directory.fresh("attic") is not None
        return all(directory._cached[room_id][0] > at_s for room_id, at_s in read_s.items())

    async with asyncio.timeout(5):
        while not all_anew():
            if directory._gathering is not None:
                with contextlib.suppress(Exception):
                    await directory.get("a\x00b")
            await asyncio.sleep(0.01)
    assert {"harbour", "attic"} in asked
    assert all(ids <= {"harbour", "attic"} or ids == {"a\x00b"} for ids in asked)

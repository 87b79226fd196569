"""Bans from live: a room is never open while its creator is banned, whoever comes first."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any, Final

import pytest
from sqlalchemy import text

from giftserver.durable import rooms
from giftserver.durable.bans import CreatorBanned, lift_ban, place_ban
from giftserver.durable.proof.bans import banned_are_not_live
from giftserver.durable.proof.invariant import Invariant
from giftserver.durable.rooms import close_rooms_of, get_room, list_rooms, set_live, upsert_room

WAITING: Final = text("""
    SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")


async def give(book, id: str, creator: str) -> Any:
    """Make a room, or give one to somebody else."""
    return await upsert_room(book.engine, id, creator=creator, creator_name=creator.title(), title=id)


@pytest.fixture
async def house(book):
    """Harbour is mira's and live, attic is tomas's and closed."""
    await give(book, "harbour", "mira")
    await give(book, "attic", "tomas")
    await set_live(book.engine, "harbour", True)
    return book


OPENED: Final[dict[str, tuple[str, Callable[[Any], Awaitable[Any]]]]] = {
    "it is opened": ("attic", lambda book: set_live(book.engine, "attic", True)),
    "it is given away while it is live": ("harbour", lambda book: give(book, "harbour", "tomas")),
}
"""How tomas comes to an open room."""


async def ban(book, user: str = "tomas", reference: str = "case:1") -> list[str]:
    """Ban somebody as a case does; the rooms that were closed."""
    async with book.engine.begin() as connection:
        await place_ban(connection, user, reference, "a test")
        return await close_rooms_of(connection, user)


async def lift(book, reference: str = "case:1") -> None:
    """End one reason of a ban."""
    async with book.engine.begin() as connection:
        await lift_ban(connection, reference)


async def waits(book, task: "asyncio.Task[Any]", until) -> None:
    """Return when the task waits for its turn; one that does not has ended."""

    async def condition() -> bool:
        async with book.engine.connect() as connection:
            return task.done() or bool(await connection.scalar(WAITING))

    await until(condition)


async def open_rooms(book, creator: str) -> list[str]:
    return [room.id for room in await list_rooms(book.engine, creator=creator) if room.live]


async def test_who_is_banned_has_no_open_room(house):
    """Their open rooms are closed as any other is, others' stay; until every reason is gone none opens."""
    assert await ban(house, "mira") == ["harbour"]
    assert await ban(house, "mira", "case:2") == []
    assert await house.rows("SELECT room, closed_ms, opened_ms FROM room_closing") == [("harbour", None, None)]
    await set_live(house.engine, "attic", True)
    for reference in ("case:1", "case:2"):
        with pytest.raises(CreatorBanned):
            await set_live(house.engine, "harbour", True, 5)
        with pytest.raises(CreatorBanned):
            await give(house, "attic", "mira")
        await lift(house, reference)
    assert (await get_room(house.engine, "attic")).creator == "tomas"
    assert await open_rooms(house, "mira") == []
    assert (await set_live(house.engine, "harbour", True, 5)).live


async def test_closed_rooms_of_a_banned_person_can_be_changed(house):
    """They are made, renamed, closed once more and given to others, who open them."""
    await ban(house)
    assert not (await give(house, "cellar", "tomas")).live
    assert not (await set_live(house.engine, "attic", False)).live
    await give(house, "attic", "ines")
    assert (await set_live(house.engine, "attic", True)).live
    assert await set_live(house.engine, "nowhere", True) is None


@pytest.mark.parametrize("how", OPENED)
async def test_what_would_open_a_room_waits_for_a_ban_under_way(house, how, until):
    """The ban is not committed yet: it is found all the same, and the room stays as it was."""
    room, opens = OPENED[how]
    before = await get_room(house.engine, room)
    async with house.engine.begin() as connection:
        await place_ban(connection, "tomas", "case:1", "a test")
        assert await close_rooms_of(connection, "tomas") == []
        task = asyncio.ensure_future(opens(house))
        await waits(house, task, until)
    with pytest.raises(CreatorBanned):
        await task
    assert await get_room(house.engine, room) == before


@pytest.mark.parametrize("how", OPENED)
async def test_a_ban_waits_for_what_opens_a_room_and_closes_it(house, how, until, monkeypatch):
    """The opening found no ban and is not committed yet: the room is closed by the ban."""
    room, opens = OPENED[how]
    real, found_none, go_on = rooms.check_not_banned, asyncio.Event(), asyncio.Event()

    async def slow(*of: Any) -> None:
        await real(*of)
        found_none.set()
        await go_on.wait()

    monkeypatch.setattr(rooms, "check_not_banned", slow)
    opening = asyncio.ensure_future(opens(house))
    await found_none.wait()
    banning = asyncio.create_task(ban(house))
    await waits(house, banning, until)
    go_on.set()
    assert (await opening).live
    assert await banning == [room]
    assert await open_rooms(house, "tomas") == []


async def test_whatever_order_they_come_in(house):
    """Many open, close, give away, ban and lift at once: nobody waits for ever, and at no moment is the rule broken."""
    chance, done = random.Random(44), asyncio.Event()

    async def move(n: int) -> None:
        creator, room = chance.choice(("mira", "tomas")), chance.choice(("harbour", "attic"))
        what = chance.randrange(5)
        try:
            if what < 2:
                await set_live(house.engine, room, chance.random() < 0.8)
            elif what == 2:
                await give(house, room, creator)
            elif what == 3:
                await ban(house, creator, f"case:{n}")
            else:
                await house.run(
                    f"UPDATE live_ban SET lifted_at = now() WHERE user_id = '{creator}' AND lifted_at IS NULL"
                )
        except CreatorBanned:
            return

    async def moves(start: int) -> None:
        for n in range(start, start + 50):
            await move(n)

    async def watch() -> int:
        looks = 0
        while not done.is_set():
            found = Invariant("live")
            async with house.engine.connect() as connection:
                await banned_are_not_live(connection, found)
            assert not [one for one in found.violations if "is open" in one]
            looks += 1
        return looks

    watching = asyncio.create_task(watch())
    async with asyncio.timeout(60):
        await asyncio.gather(*(moves(start) for start in range(0, 300, 50)))
    done.set()
    assert await watching > 1


WRONG = {
    "an open room": ("UPDATE room SET live = true WHERE id = 'attic'", "room attic is open"),
    "a ban of no case": ("SELECT 1", "case case:1: its ban is"),
}


@pytest.mark.parametrize("what", WRONG)
async def test_verify_finds(house, what):
    """A room that was opened past all this, and a ban that no case knows of."""
    await ban(house)
    statement, said = WRONG[what]
    await house.run(statement)
    found = Invariant("live")
    async with house.engine.connect() as connection:
        await banned_are_not_live(connection, found)
    assert found.checked == 1
    assert any(said in violation for violation in found.violations), found.violations

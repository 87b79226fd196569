"""The demo's people, and what they begin with."""

from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.auth.tokens import IDENTIFIER
from giftserver.demo.people import DEPUTY, EXAMPLES, OPERATOR, OPERATORS, REGULARS, ROOMS, VIEWERS, VISITORS
from giftserver.demo.seed import START_COINS, seed
from giftserver.durable.bans import place_ban
from giftserver.durable.history import wallet_history
from giftserver.durable.rooms import list_rooms, set_live
from giftserver.settings import Settings
from giftserver.traces.trace import BUNDLED, load_trace


def test_ids_are_ids_and_nobody_is_two_people() -> None:
    """Every id fits a token; viewers, creators, operators and examples are different people."""
    ids = [*VIEWERS, *(room.creator for room in ROOMS), *OPERATORS, *EXAMPLES]
    assert all(IDENTIFIER.fullmatch(id) for id in ids)
    assert len(set(ids)) == len(ids)
    assert not set(VISITORS) & set(REGULARS)
    assert list(OPERATORS) == [OPERATOR, DEPUTY]


def test_bots_can_play_every_trace() -> None:
    """There is a regular for each recorded sender."""
    assert max(len(load_trace(name).senders) for name in BUNDLED) <= len(REGULARS)


async def test_seeding_twice_changes_nothing(settings: Settings, database: AsyncEngine) -> None:
    """Rooms are made once and live, coins are given once, and a room that was closed stays closed."""
    await seed(settings)
    await set_live(database, "attic", False)
    await seed(settings)
    rooms = {room.id: room for room in await list_rooms(database)}
    assert {id: room.creator for id, room in rooms.items()} == {room.id: room.creator for room in ROOMS}
    assert [rooms[id].live for id in ("harbour", "attic", "meadow")] == [True, False, True]
    for viewer in VIEWERS:
        page = await wallet_history(database, viewer)
        assert [entry.amount_coins for entry in page.entries] == [START_COINS]


async def test_a_room_of_a_banned_creator_is_made_and_stays_closed(settings: Settings, database: AsyncEngine) -> None:
    """The demo starts all the same, and the other rooms are live."""
    async with database.begin() as connection:
        await place_ban(connection, "mira", "case:1", "a test")
    await seed(settings)
    assert {room.creator: room.live for room in await list_rooms(database)} == {
        room.creator: room.creator != "mira" for room in ROOMS
    }

"""The directory of rooms is fresh, and goes on while PostgreSQL is away."""

import pytest

from giftserver.gifts import rooms
from giftserver.gifts.rooms import RoomDirectory
from tests.giftserver.conftest import Web


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
    directory = RoomDirectory(web.engines.database, web.engines.rooms_redis)
    assert await directory.get("harbour") is not None

    async def away(*_: object) -> None:
        raise ConnectionRefusedError

    monkeypatch.setattr(rooms, "FRESH_S", 0.0)
    monkeypatch.setattr("giftserver.gifts.rooms.durable_rooms.get_room", away)
    room = await directory.get("harbour")
    assert room is not None
    assert room.id == "harbour"
    with pytest.raises(ConnectionRefusedError):
        await directory.get("attic")

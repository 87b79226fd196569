"""Rooms and the versions of their overlay links."""

import pytest

from giftserver.durable.overlays import RoomUnknown, overlay_version, rotate_overlay
from giftserver.durable.rooms import get_room, list_rooms, set_live, upsert_room


async def test_a_room_is_made_changed_and_keeps_being_live(book):
    """Changing a room keeps its age and whether it is live."""
    made = await upsert_room(book.engine, "harbour", creator="mira", creator_name="Mira", title="Boats")
    assert (made.live, made.stream_url) == (False, None)
    assert (await set_live(book.engine, "harbour", True)).live
    changed = await upsert_room(
        book.engine, "harbour", creator="mira", creator_name="Mira", title="Ships", stream_url="https://example.org/a"
    )
    assert (changed.live, changed.title, changed.created_at) == (True, "Ships", made.created_at)
    assert await get_room(book.engine, "harbour") == changed


async def test_live_rooms_come_first(book):
    """The list has live rooms first, then older ones first; a creator's own on demand."""
    for id, creator in (("harbour", "mira"), ("attic", "tomas"), ("meadow", "ines")):
        await upsert_room(book.engine, id, creator=creator, creator_name=creator, title=id)
    await set_live(book.engine, "meadow", True)
    assert [room.id for room in await list_rooms(book.engine)] == ["meadow", "harbour", "attic"]
    assert [room.id for room in await list_rooms(book.engine, creator="tomas")] == ["attic"]


async def test_an_unknown_room(book):
    """What is not there is None."""
    assert await get_room(book.engine, "nowhere") is None
    assert await set_live(book.engine, "nowhere", True) is None


async def test_rotating_an_overlay(book):
    """Each rotation raises the version by one; only rooms that are there have links."""
    await upsert_room(book.engine, "harbour", creator="mira", creator_name="Mira", title="Boats")
    assert await overlay_version(book.engine, "harbour") == 1
    assert [await rotate_overlay(book.engine, "harbour") for _ in range(2)] == [2, 3]
    assert await overlay_version(book.engine, "harbour") == 3
    with pytest.raises(RoomUnknown):
        await rotate_overlay(book.engine, "nowhere")

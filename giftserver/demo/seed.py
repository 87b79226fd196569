"""The rooms and coins the demo begins with."""

from contextlib import suppress

from giftserver.demo.people import ROOMS, VIEWERS
from giftserver.durable.bans import CreatorBanned
from giftserver.durable.credits import credit
from giftserver.durable.rooms import get_room, set_live, upsert_room
from giftserver.engines import open_engines
from giftserver.settings import Settings

START_COINS = 10_000


async def seed(settings: Settings) -> None:
    """Make the rooms that are missing, live, and give every viewer the first coins once. May be repeated."""
    async with open_engines(settings) as engines:
        for room in ROOMS:
            if await get_room(engines.database, room.id) is None:
                await upsert_room(
                    engines.database, room.id, creator=room.creator, creator_name=room.creator_name,
                    title=room.title,
                )  # fmt: skip
                with suppress(CreatorBanned):
                    await set_live(engines.database, room.id, True)
        for viewer in VIEWERS:
            await credit(engines.database, viewer, START_COINS, "top_up", f"demo-seed:{viewer}")

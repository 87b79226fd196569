"""Gifts of three weeks ago: what a creator needs to be paid out, for diamonds wait 14 days."""

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
from redis.asyncio import Redis

from giftserver import embedded
from giftserver.durable.flush import BATCH_MAX, mark_flushed, read_cursor
from giftserver.durable.intake import read_waiting
from giftserver.durable.posting import post_gifts
from giftserver.durable.store import open_database
from giftserver.ledger import keys
from tests.browser.demo_site import DemoSite, Room, until, uuid7

AGO_MS = 21 * 86_400_000
COINS_MAX = 10_000
GIFT, GIFT_COINS = "fountain", 100


def earned_long_ago(site: DemoSite, room: Room, diamonds: int, sender: str = "ben") -> None:
    """Have a viewer give the room's creator so many diamonds, a multiple of 100, three weeks ago.

    The ledger decides the gifts as ever; the flusher is held meanwhile, and they are posted here with its own
    functions, under an earlier time.
    """
    for _ in range(0, diamonds, COINS_MAX):
        site.ask("POST", "/demo/topup", {"coins": COINS_MAX, "key": uuid7()}, sender)
    until(lambda: site.ask("GET", "/v1/wallet", None, sender)["coins"] >= diamonds)
    until(lambda: site.ask("GET", "/v1/wallet", None, sender)["unsettled_coins"] == 0)
    with stopped(site, "flusher"):
        left = diamonds // GIFT_COINS
        while left:
            quantity = min(left, 99)
            site.send(sender, room.id, GIFT, quantity)
            left -= quantity
        with ThreadPoolExecutor(1) as thread:
            thread.submit(lambda: asyncio.run(_post_earlier(site.folder, keys.shard_of(sender)))).result()
    until(lambda: site.ask("GET", "/v1/payouts/terms", None, room.creator)["available_diamonds"] >= diamonds)


@contextlib.contextmanager
def stopped(site: DemoSite, process: str) -> Iterator[None]:
    """One of the demo's processes does nothing meanwhile."""
    site.signal(process, signal.SIGSTOP)
    try:
        yield
    finally:
        site.signal(process, signal.SIGCONT)


async def _post_earlier(folder: Path, shard: int) -> None:
    with embedded.running(folder) as urls:
        assert urls.database_url is not None
        assert urls.ledger_redis_url is not None
        database, redis = open_database(urls.database_url), Redis.from_url(urls.ledger_redis_url)
        cursor = await read_cursor(database, shard)
        waiting = await read_waiting(redis, shard, cursor, BATCH_MAX)
        assert waiting is not None
        earlier = [msgspec.structs.replace(gift, at_ms=gift.at_ms - AGO_MS) for gift in waiting.gifts]
        async with database.begin() as connection:
            assert await post_gifts(connection, shard, cursor, earlier)
        await mark_flushed(redis, shard, earlier[-1].seq)
        for gift in waiting.gifts:  # nothing of it was earned today
            await redis.hdel(keys.earned(shard, f"{gift.event_at:%Y%m%d}"), gift.event.creator)
        await database.dispose()
        await redis.aclose()

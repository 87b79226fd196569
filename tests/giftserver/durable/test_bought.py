"""Orders of one person are judged one after the other: each sees what those before it came to."""

import asyncio

from giftserver.durable.bought import check_order
from giftserver.ledger.limits import NONE
from tests.giftserver.durable.test_bans import waits


async def judged(book, user: str) -> None:
    """An order of 700 coins where 1,000 a day are allowed."""
    async with book.engine.begin() as connection:
        await check_order(connection, user, 700, 1_000, NONE)


async def test_an_order_waits_for_the_one_before_it(book, until):
    """Until that is made, or not: only then it is known what is left. Nobody else waits."""
    async with book.engine.begin() as connection:
        await check_order(connection, "ana", 700, 1_000, NONE)
        other = asyncio.create_task(judged(book, "ana"))
        await waits(book, other, until)
        assert not other.done()
        await judged(book, "ben")
    await other

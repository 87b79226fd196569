"""A read that many ask for is done once or twice, and never answers with what it read before the question."""

import asyncio

from rooms.shared import Shared
from tests.rooms.conftest import until


async def test_many_at_once_cost_two_reads() -> None:
    """Those of one moment share a read; those who come during it share the next, which begins after it."""
    reads, go_on = 0, asyncio.Event()

    async def read() -> int:
        nonlocal reads
        reads += 1
        number = reads
        await go_on.wait()
        return number

    shared = Shared(read)
    early = [asyncio.create_task(shared.get()) for _ in range(500)]
    await until(lambda: reads)
    late = [asyncio.create_task(shared.get()) for _ in range(500)]
    await asyncio.sleep(0)
    late[0].cancel()  # one who leaves takes nothing from the others
    assert reads == 1
    go_on.set()
    assert await asyncio.gather(*early) == [1] * 500
    assert await asyncio.gather(*late[1:]) == [2] * 499
    assert await shared.get() == 3


async def test_an_error_is_everybodys_and_not_kept() -> None:
    """The next read is another."""
    reads = 0

    async def read() -> str:
        nonlocal reads
        reads += 1
        if reads == 1:
            raise ConnectionError("away")
        return "here"

    shared = Shared(read)
    outcomes = await asyncio.gather(*(shared.get() for _ in range(3)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [ConnectionError] * 3
    assert await shared.get() == "here"

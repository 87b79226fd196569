"""Waiting until nothing is being answered."""

import asyncio

from giftserver.in_flight import InFlight


async def test_one_waits_for_those_under_way() -> None:
    """Of a socket, and of all sockets together; not for ever."""
    everybody = InFlight()
    one, other = InFlight(everybody), InFlight(everybody)
    for counter in (one, one, other):
        counter.begin()
    assert (one.count, other.count, everybody.count) == (2, 1, 3)
    waiting = [asyncio.create_task(counter.wait(10)) for counter in (one, everybody)]
    await asyncio.sleep(0)
    one.end()
    one.end()
    async with asyncio.timeout(5):
        await waiting[0]
    assert not waiting[1].done()
    await everybody.wait(0.01)
    assert everybody.count == 1
    other.end()
    async with asyncio.timeout(5):
        await waiting[1]
    await everybody.wait(10)

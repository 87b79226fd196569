"""The clock of a cluster is that of all its servers, and one that says nothing may be ahead of the others."""

import asyncio
from typing import Any

import pytest
from redis.exceptions import RedisError

from giftserver.engines import open_redis
from giftserver.ledger.clock import DOUBT_MS, earliest_ms, latest_ms
from tests.cluster.nodes import Nodes, answers, wait_for

SILENT_MS = 3_000


async def test_a_server_that_says_nothing_is_doubted(nodes: Nodes, redis: Any) -> None:
    """No opening is dated without it; a closing is dated as if its clock were as far ahead as one can be unnoticed."""
    all_ms = [await earliest_ms(redis), await latest_ms(redis)]
    assert all_ms[0] <= all_ms[1] < all_ms[0] + DOUBT_MS
    impatient = open_redis(nodes.url(), 0.3)
    await earliest_ms(impatient)  # it knows where the shards are
    silent = nodes.primaries[0]
    silent.ask.execute_command("CLIENT PAUSE", SILENT_MS, "ALL")
    try:
        with pytest.raises(RedisError):
            await earliest_ms(impatient)
        assert await latest_ms(impatient) >= all_ms[1] + DOUBT_MS
    finally:
        await impatient.aclose()
        await asyncio.to_thread(wait_for, lambda: answers(silent), "the server speaks again")

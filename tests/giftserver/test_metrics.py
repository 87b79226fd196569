import asyncio
from typing import Any

import pytest

from giftserver.metrics import LATENCY_BUCKETS_S, Metrics


def samples(metrics: Metrics) -> dict[tuple[str, ...], float]:
    return {
        (one.name, *one.labels.values()): one.value for family in metrics.registry.collect() for one in family.samples
    }


@pytest.mark.parametrize("seconds", [0.0, *LATENCY_BUCKETS_S, 0.0024, 0.03, 3.0])
async def test_what_is_counted_first_is_what_the_library_would_have_counted(seconds: float) -> None:
    ours, theirs = Metrics(), Metrics()
    for _ in range(3):
        ours.gift(None, seconds)
        ours.charged(7)
        ours.batch(5, seconds)
        theirs.gifts.labels("accepted").inc()
        theirs.gift_coins.inc(7)
        theirs.gift_seconds.observe(seconds)
        theirs.batch_gifts.observe(5)
        theirs.batch_seconds.observe(seconds)
    ours.gift("limit_reached", seconds)
    theirs.gifts.labels("limit_reached").inc()
    theirs.gift_seconds.observe(seconds)
    ours.hand_over()
    ours.hand_over()  # nothing twice

    def counted(metrics: Metrics) -> dict[Any, float]:
        return {name: value for name, value in samples(metrics).items() if not name[0].endswith("_created")}

    assert counted(ours) == pytest.approx(counted(theirs))


async def test_a_scrape_has_what_was_counted_just_now() -> None:
    metrics = Metrics()
    metrics.gift(None, 0.004)
    assert 'giftserver_gifts_total{outcome="accepted"} 1.0' in metrics.render().decode()


async def test_other_processes_learn_of_it_without_a_scrape() -> None:
    metrics = Metrics()
    metrics.gift(None, 0.004)
    accepted = ("giftserver_gifts_total", "accepted")
    assert samples(metrics)[accepted] == 0
    async with asyncio.timeout(10):
        while samples(metrics)[accepted] != 1:
            turned = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(0.01, turned.set_result, None)
            await turned

"""People and gifts of the benchmark."""

import time

from giftserver.gifts.service import time_of_key
from giftserver.ledger.events import decode_event
from giftserver.ledger.keys import shard_of
from loadtest.bench.orders import creators, orders, people
from loadtest.bench.script_calls import turns


def test_people_are_spread_evenly_over_the_shards_named() -> None:
    """So that a load on four shards is one on four shards."""
    shards = [shard_of(user) for user in people(12, [3, 7, 9])]
    assert {shard: shards.count(shard) for shard in (3, 7, 9)} == {3: 4, 7: 4, 9: 4}
    assert len(set(people(100, range(16)))) == 100


def test_gifts_are_lawful_and_each_has_a_key_of_its_own() -> None:
    """Their payload is what the flusher reads, their key is of now."""
    by_sender = orders(people(4, range(16)), creators(2), 40)
    gifts = [order for one in by_sender for order in one]
    assert len({order.key for order in gifts}) == len(gifts) == 40
    event = decode_event(gifts[0].payload)
    assert (event.key, event.sender, event.coins) == (gifts[0].key, gifts[0].sender, gifts[0].coins)
    assert {order.creator for order in gifts} == set(creators(2))
    key_ms = time_of_key(gifts[0].key)
    assert key_ms is not None
    assert abs(key_ms - time.time() * 1000) < 60_000


def test_queues_take_turns() -> None:
    """The first of each, then the second of each; longer ones go on alone."""
    assert list(turns([[1, 2, 3], [10], [20, 21]])) == [1, 10, 20, 2, 21, 3]

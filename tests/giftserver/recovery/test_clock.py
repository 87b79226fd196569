"""The clock of the ledger's Redis goes back by an hour.

No clock is turned: what the server remembers of before is moved ahead instead, which is the same seen from there.
"""

import pytest

from giftserver.durable.closings import late_gifts
from giftserver.durable.intake import FlushedGift
from giftserver.durable.rooms import set_live, upsert_room
from giftserver.ledger import keys
from giftserver.ledger.clock import latest_ms
from giftserver.ledger.events import GiftEvent
from giftserver.ledger.outcomes import Accepted, Reason, Refused
from tests.giftserver.recovery.conftest import SHARD, Till

HOUR_MS = 3_600_000


async def an_hour_ahead(till: Till) -> int:
    """The leases that were given end in an hour, and the receipts have expired meanwhile; the clock as it is now."""
    now_ms = await latest_ms(till.redis)
    for shard in range(keys.SHARDS):
        await till.redis.hset(keys.meta(shard), "lease_ms", now_ms + HOUR_MS)
    for name in [name async for name in till.redis.scan_iter(match="*:key:*")]:
        await till.redis.delete(name)
    return now_ms


@pytest.mark.parametrize("settled", [True, False])
async def test_a_key_whose_receipt_expired_is_not_charged_again(till: Till, settled: bool) -> None:
    """Gifts are refused until PostgreSQL has everything; then the resend has its receipt, whoever asks."""
    first = await till.give(10)
    assert isinstance(first, Accepted)
    if settled:
        await till.flush()
    now_ms = await an_hour_ahead(till)
    again = till.sent[0]
    assert await till.ledger.send(again) == Refused(Reason.TRY_AGAIN, "CLOCK")
    await till.coordinator.settle()
    if not settled:
        assert await till.meta("state") == "replaying"
        assert isinstance(await till.ledger.send(again), Refused)
        await till.flush()
        await till.coordinator.settle()
    assert await till.meta("state") == "open"
    assert int(await till.meta("keys_from")) >= now_ms + HOUR_MS + 60_000
    told = await till.ledger.send(again)
    assert isinstance(told, Accepted)
    assert (told.seq, told.balance_coins, told.repeated) == (first.seq, 90, True)
    assert isinstance(await till.give(5), Accepted)
    await till.flush()
    assert await till.ledger.balance("ana") == 85
    assert await till.violations() == []


async def test_a_renewal_does_not_hide_it(till: Till) -> None:
    """The coordinator that gave the lease does not lengthen it: it closes the shard."""
    await till.coordinator.settle()
    assert till.coordinator.lease.knows(SHARD)
    await till.give(10)
    await an_hour_ahead(till)
    assert not await till.coordinator.settle()
    assert await till.meta("state") == "replaying"


async def test_numbers_go_on_though_times_do_not(till: Till) -> None:
    """An event of an hour ahead is flushed before those that follow, in the order of their numbers."""
    await till.give(10)
    [(name, fields)] = await till.redis.xrange(keys.events(SHARD))
    await till.redis.delete(keys.events(SHARD))
    ahead_ms = int(fields[b"t"]) + HOUR_MS
    await till.redis.xadd(keys.events(SHARD), {b"e": fields[b"e"], b"t": ahead_ms}, id=name)
    await till.give(20)
    await till.flush()
    assert await till.meta("flushed") == "2"
    assert int(await till.redis.hget(keys.wallet(SHARD, "ana"), "coins")) == 70


async def test_a_room_that_opened_later_than_now_is_open(till: Till) -> None:
    """Otherwise every gift of the next hour would come back as late."""
    await upsert_room(till.database, "harbour", creator="mira", creator_name="Mira", title="Boats")
    await set_live(till.database, "harbour", True)
    now_ms = await latest_ms(till.redis)
    await set_live(till.database, "harbour", False)
    async with till.database.begin() as connection:
        await connection.exec_driver_sql(f"UPDATE room_closing SET closed_ms = {now_ms - 1_000}")
    await set_live(till.database, "harbour", True, now_ms + HOUR_MS)  # by a clock that is an hour ahead
    event = GiftEvent("k", "h", "ana", "Ana", "mira", "harbour", "dewdrop", 1, 1, 1, 1, 1, "")
    gift = FlushedGift(SHARD, 1, 1, now_ms + 10_000, event)
    async with till.database.connect() as connection:
        assert await late_gifts(connection, [gift])
    await an_hour_ahead(till)
    await till.coordinator.settle()
    async with till.database.connect() as connection:
        assert await late_gifts(connection, [gift]) == []

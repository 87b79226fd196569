"""The live ledger when its engine stalls, refuses, is damaged, or the clocks are wrong."""

import asyncio
import time

import pytest
from redis.asyncio import Redis

from giftserver.durable.wallets import DurableWallets
from giftserver.engines import Engines, open_redis
from giftserver.ledger import keys
from giftserver.ledger import ledger as ledger_module
from giftserver.ledger.ledger import BATCH_MAX, Ledger
from giftserver.ledger.outcomes import Accepted, Reason, Refused
from tests.giftserver.ledger.test_ledger import accepted, order, state_of, uuid7


@pytest.mark.parametrize("days", [-1, 1])
async def test_a_process_whose_clock_is_a_day_off(
    ledger: Ledger, engines: Engines, days: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Days are counted by Redis's clock: the gift is taken, and earned on the day it is there."""
    right = time.time
    monkeypatch.setattr(time, "time", lambda: right() + days * 86_400)
    astray = Ledger(engines.ledger_redis, DurableWallets(engines.database), backlog_max=1_000, timeout_s=2.0)
    await accepted(astray, order(coins=30, key=uuid7(int(right() * 1_000))))
    await astray.close()
    shard = keys.shard_of("ana")
    today = time.strftime("%Y%m%d", time.gmtime((await engines.ledger_redis.time())[0]))
    names = [name.decode() for name in await engines.ledger_redis.keys(f"{{s{shard:02d}}}:earned:*")]
    assert names == [keys.earned(shard, today)]


async def test_nobody_waits_for_one_stalled_call_after_another(engines: Engines, ledger: Ledger) -> None:
    """What waited for longer than a call may take was not sent: it is refused, and was not charged."""
    await ledger.balance("ana")
    hasty = Ledger(engines.ledger_redis, DurableWallets(engines.database), backlog_max=1_000, timeout_s=0.3)
    await accepted(hasty, order(coins=1))
    await engines.ledger_redis.execute_command("CLIENT", "PAUSE", "900", "ALL")
    async with asyncio.timeout(3):
        outcomes = await asyncio.gather(*(hasty.send(order(coins=1)) for _ in range(20 * BATCH_MAX)))
    unknown = outcomes.count(Refused(Reason.UNKNOWN, "timeout"))
    assert 0 < unknown <= 2 * BATCH_MAX
    assert outcomes.count(Refused(Reason.TRY_AGAIN, "QUEUE")) == len(outcomes) - unknown
    assert 99 - (await ledger.balance("ana") or 0) <= unknown
    await hasty.close()


async def test_the_queue_of_a_shard_has_a_limit(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """More gifts than it are refused at once, to be sent again."""
    monkeypatch.setattr(ledger_module, "QUEUE_MAX", 3)
    outcomes = await asyncio.gather(*(ledger.send(order(coins=1)) for _ in range(5)))
    assert [isinstance(outcome, Accepted) for outcome in outcomes] == [True, True, True, False, False]
    assert outcomes[4] == Refused(Reason.TRY_AGAIN, "QUEUE")


async def test_outcomes_are_told_in_order_whoever_fails_to_take_his(ledger: Ledger) -> None:
    """Somebody's error is logged; the others of the call are told all the same."""
    told: list[object] = []
    done = asyncio.Event()

    def fails(outcome: object) -> None:
        told.append(outcome)
        raise RuntimeError("his own affair")

    await ledger.balance("ana")
    ledger.post(order(coins=10), told.append)
    ledger.post(order(coins=20), fails)
    ledger.post(order(coins=30), told.append)
    ledger.post(order(coins=1_000_000), lambda outcome: (told.append(outcome), done.set()))
    async with asyncio.timeout(5):
        await done.wait()
    balances = [outcome.balance_coins for outcome in told if isinstance(outcome, Accepted)]
    assert balances == [90, 70, 40]
    assert told[3] == Refused(Reason.INSUFFICIENT, balance_coins=40)


async def test_a_gift_that_was_not_sent_is_told_so(ledger: Ledger, engines: Engines) -> None:
    """No server at all: nothing was charged, and the sender may know."""
    await ledger.balance("ana")
    away = open_redis("redis://127.0.0.1:1", 1.0)
    cut_off = Ledger(away, DurableWallets(engines.database), backlog_max=1_000, timeout_s=1.0)
    cut_off._epochs = ledger._epochs
    assert (await ledger.send(order())) != (await cut_off.send(order())) == Refused(Reason.TRY_AGAIN, "NotSent")
    await cut_off.close()
    await away.aclose()


async def test_a_closed_ledger_takes_nothing(ledger: Ledger) -> None:
    """Whoever comes late is refused, and no connection is made again."""
    await accepted(ledger, order())
    await ledger.close()
    assert await ledger.send(order()) == Refused(Reason.TRY_AGAIN, "QUEUE")
    assert await ledger.balance("ana") is None


async def test_without_replicas_nothing_changes(ledger: Ledger, ledger_redis: Redis) -> None:
    """A Redis that refuses to write says so before anything is written; later the gift is taken."""
    await ledger.balance("ana")
    before = await state_of(ledger_redis)
    await ledger_redis.config_set("min-replicas-to-write", 1)
    try:
        outcome = await ledger.send(order())
    finally:
        await ledger_redis.config_set("min-replicas-to-write", 0)
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.TRY_AGAIN
    assert await state_of(ledger_redis) == before
    await accepted(ledger, order())


async def test_a_damaged_sum_does_not_undo_a_gift(ledger: Ledger, ledger_redis: Redis) -> None:
    """The live sums are for show; a gift that stands is never told as refused because of them."""
    await accepted(ledger, order(coins=30))
    [name] = await ledger_redis.keys("*:earned:*")
    await ledger_redis.hset(name, "mira", "abc")
    assert (await accepted(ledger, order(coins=30))).balance_coins == 40


async def test_a_shard_without_a_lease_is_closed(ledger: Ledger, ledger_redis: Redis) -> None:
    """A lease that is lost is not one without an end."""
    await ledger.balance("ana")
    await ledger_redis.hdel(keys.meta(keys.shard_of("ana")), "lease_ms")
    assert await ledger.send(order()) == Refused(Reason.TRY_AGAIN, "FENCED")

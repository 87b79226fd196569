"""Credits go from PostgreSQL to wallets once each, whatever dies in between."""

import pytest

from giftserver.durable.credits import credit, pending_credits
from giftserver.durable.wallets import DurableWallets
from giftserver.engines import Engines
from giftserver.ledger import keys
from giftserver.ledger.ledger import Ledger
from giftserver.metrics import Metrics
from giftserver.recovery.coordinator import open_ledger
from giftserver.worker import CreditCarrier


@pytest.fixture
async def ledger(engines: Engines) -> Ledger:
    """A ledger with open shards."""
    await open_ledger(engines.database, engines.ledger_redis)
    return Ledger(engines.ledger_redis, DurableWallets(engines.database), backlog_max=1_000, timeout_s=2.0)


@pytest.fixture
def carrier(engines: Engines, ledger: Ledger) -> CreditCarrier:
    """A carrier as the worker runs it."""
    return CreditCarrier(engines, ledger, Metrics())


async def coins(engines: Engines, user: str) -> int:
    """Coins in the live wallet."""
    return int(await engines.ledger_redis.hget(keys.wallet(keys.shard_of(user), user), "coins") or -1)


async def test_credits_reach_wallets_that_are_loaded_or_not(
    engines: Engines, ledger: Ledger, carrier: CreditCarrier
) -> None:
    """A loaded wallet is credited; one that is not there is loaded with it."""
    await credit(engines.database, "ana", 10, "top_up", "a1")
    await ledger.balance("ana")
    await credit(engines.database, "ana", 5, "top_up", "a2")
    await credit(engines.database, "ben", 7, "top_up", "b1")
    assert await carrier.carry() == 3
    assert (await coins(engines, "ana"), await coins(engines, "ben")) == (15, 7)
    assert await pending_credits(engines.database) == []
    assert await carrier.carry() == 0


async def test_killed_between_redis_and_mark(
    engines: Engines, ledger: Ledger, carrier: CreditCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credit applied but not marked is a repeat by its number, not a second credit."""
    await ledger.balance("ana")
    await credit(engines.database, "ana", 10, "top_up", "a1")
    with monkeypatch.context() as patch:
        patch.setattr("giftserver.worker.mark_applied", died)
        with pytest.raises(RuntimeError):
            await carrier.carry()
    assert await coins(engines, "ana") == 10
    assert await carrier.carry() == 1
    assert await coins(engines, "ana") == 10


async def died(*_: object) -> int:
    """The worker was killed here."""
    raise RuntimeError("killed")


async def test_a_fenced_shard_keeps_its_credits_pending(
    engines: Engines, ledger: Ledger, carrier: CreditCarrier
) -> None:
    """Nothing is marked that Redis did not take."""
    await ledger.balance("ana")
    await engines.ledger_redis.hset(keys.meta(keys.shard_of("ana")), "state", "fenced")
    await credit(engines.database, "ana", 10, "top_up", "a1")
    assert await carrier.carry() == 0
    assert len(await pending_credits(engines.database)) == 1

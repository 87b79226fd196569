"""Credits go from PostgreSQL to wallets once each, whatever dies in between."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from giftserver import worker
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
        with pytest.raises(Killed):
            await carrier.carry()
    assert await coins(engines, "ana") == 10
    assert await carrier.carry() == 1
    assert await coins(engines, "ana") == 10


class Killed(BaseException):
    """The end of the process."""


async def died(*_: object) -> int:
    """The worker was killed here."""
    raise Killed


async def test_a_fenced_shard_keeps_its_credits_pending(
    engines: Engines, ledger: Ledger, carrier: CreditCarrier
) -> None:
    """Nothing is marked that Redis did not take."""
    await ledger.balance("ana")
    await engines.ledger_redis.hset(keys.meta(keys.shard_of("ana")), "state", "fenced")
    await credit(engines.database, "ana", 10, "top_up", "a1")
    assert await carrier.carry() == 0
    assert len(await pending_credits(engines.database)) == 1


Damage = Callable[[Any, str, pytest.MonkeyPatch, Ledger], Awaitable[object]]


async def wrong_type(redis: Any, wallet: str, patch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """The wallet's key holds something else."""
    await redis.set(wallet, "what is this")


async def lost_field(redis: Any, wallet: str, patch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """The wallet does not say which credits it has."""
    await redis.hset(wallet, "coins", 1)


async def silence(redis: Any, wallet: str, patch: pytest.MonkeyPatch, ledger: Ledger) -> None:
    """The user's server does not answer."""
    real = ledger.bring_credits

    async def slow(user: str) -> tuple[int, int] | None:
        if wallet.endswith(user):
            raise TimeoutError
        return await real(user)

    patch.setattr(ledger, "bring_credits", slow)


@pytest.mark.parametrize("damage", [wrong_type, lost_field, silence])
async def test_what_fails_for_one_user_stops_nobody_else(
    engines: Engines, ledger: Ledger, carrier: CreditCarrier, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    """The others get theirs within two rounds, of the same shard too; the log names nobody."""
    shard = keys.shard_of("ana")
    neighbour = next(f"user-{n}" for n in range(1_000) if keys.shard_of(f"user-{n}") == shard)
    logged: list[dict[str, object]] = []
    monkeypatch.setattr(worker.log, "warning", lambda event, **values: logged.append({"event": event, **values}))
    await damage(engines.ledger_redis, keys.wallet(shard, "ana"), monkeypatch, ledger)
    for user in ("ana", "ben", neighbour):
        await credit(engines.database, user, 10, "top_up", f"of {user}")
    assert await carrier.carry() + await carrier.carry() == 2
    assert (await coins(engines, "ben"), await coins(engines, neighbour)) == (10, 10)
    [failed] = logged
    assert (failed["event"], failed["shard"]) == ("credit_failed", shard)
    assert "ana" not in str(failed)


async def test_a_user_who_failed_is_tried_again(
    engines: Engines, ledger: Ledger, carrier: CreditCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When what was wrong is put right the credit comes, once."""
    monkeypatch.setattr(worker, "REST_S", 0.0)
    wallet = keys.wallet(keys.shard_of("ana"), "ana")
    await engines.ledger_redis.set(wallet, "what is this")
    await credit(engines.database, "ana", 10, "top_up", "a1")
    assert await carrier.carry() == 0
    await engines.ledger_redis.delete(wallet)
    assert await carrier.carry() == 1
    assert await coins(engines, "ana") == 10


async def test_a_closed_shard_with_many_credits_stops_nobody_else(
    engines: Engines, carrier: CreditCarrier, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More credits wait there than a round brings: those behind them come within two rounds, a round stays bounded."""
    monkeypatch.setattr(worker, "CREDITS_MAX", 3)
    monkeypatch.setattr(worker, "SKIPPED_MAX", 5)
    monkeypatch.setattr(worker, "PAGES_MAX", 2)
    await engines.ledger_redis.hset(keys.meta(keys.shard_of("ana")), "state", "fenced")
    for n in range(10):
        await credit(engines.database, "ana", 1, "top_up", f"a{n}")
    others = [user for user in ("ben", "chloe", "dmitri", "eva") if keys.shard_of(user) != keys.shard_of("ana")]
    for user in others:
        await credit(engines.database, user, 7, "top_up", f"of {user}")
    assert sum([await carrier.carry() for _ in range(2)]) == min(3, len(others))
    for _ in range(3):
        await carrier.carry()
    assert [await coins(engines, user) for user in others] == [7] * len(others)
    assert len(await pending_credits(engines.database)) == 10
    await engines.ledger_redis.hset(keys.meta(keys.shard_of("ana")), "state", "open")
    while await carrier.carry():
        pass
    assert await coins(engines, "ana") == 10


async def test_a_worker_that_finds_nothing_looks_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to a limit, and as often as before once there is something; a failure waits for longer, once."""
    found: list[Any] = [3, 0, 0, 0, 0, 1, 0, OSError("away"), 0, 2]
    pauses: list[float] = []
    stop = asyncio.Event()

    async def step() -> int:
        outcome = found.pop(0)
        if not found:
            stop.set()
        if isinstance(outcome, OSError):
            raise outcome
        return int(outcome)

    @contextlib.asynccontextmanager
    async def at_once(seconds: float) -> AsyncIterator[None]:
        pauses.append(seconds)
        yield

    monkeypatch.setattr(asyncio, "timeout", at_once)
    monkeypatch.setattr(stop, "wait", lambda: asyncio.sleep(0))
    await worker._again(step, 0.05, stop, 0.2)
    assert pauses == [0.05, 0.1, 0.2, 0.2, 0.2, 0.05, 0.1, worker.PAUSE_S, 0.2, 0.05]

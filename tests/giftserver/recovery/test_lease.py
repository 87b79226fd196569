"""A lease lasts from when it was asked for, not from when a frozen server hears of it."""

from typing import Any

import pytest

from giftserver.ledger.guarded import run_and_time, run_script
from giftserver.ledger.outcomes import Accepted, Reason, Refused
from giftserver.recovery import coordinator as coordinator_module
from giftserver.recovery import lease as lease_module
from giftserver.recovery.coordinator import Coordinator
from tests.giftserver.recovery.conftest import Till

LEASE_MS = 100


async def deliver_after_its_end(till: Till, held: list[tuple[Any, ...]], until: Any) -> None:
    """Run scripts that were sent by now, once a lease that began now is over."""
    _, sent_ms = await run_and_time(till.redis)

    async def over() -> bool:
        return (await run_and_time(till.redis))[1] > sent_ms + LEASE_MS

    await until(over)
    for call in held:
        assert await run_script(*call) == 1


async def test_a_renewal_that_arrives_late_lengthens_nothing(
    till: Till, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waited at a server that was frozen, behind which another may have taken over."""
    held: list[tuple[Any, ...]] = []
    coordinator = Coordinator(till.database, till.redis, lease_ms=LEASE_MS)
    assert await coordinator.settle()
    with monkeypatch.context() as patch:
        patch.setattr(lease_module, "run_script", lambda *call: hold(held, call))
        await coordinator.settle()
    assert held
    await deliver_after_its_end(till, held, until)
    assert await till.give() == Refused(Reason.TRY_AGAIN, "LEASE")
    await till.coordinator.settle()
    assert isinstance(await till.give(), Accepted)


async def test_an_opening_that_arrives_late_opens_for_nobody(
    till: Till, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The shard is open by name, and its lease is over: the next looks renew it."""
    held: list[tuple[Any, ...]] = []
    await till.crash()
    coordinator = Coordinator(till.database, till.redis, lease_ms=LEASE_MS)

    async def hold_openings(*call: Any) -> int:
        return await hold(held, call) if call[1] == "open_shard.lua" else await run_script(*call)

    with monkeypatch.context() as patch:
        patch.setattr(coordinator_module, "run_script", hold_openings)
        await coordinator.settle()
    assert held
    await deliver_after_its_end(till, held, until)
    assert isinstance(await till.give(), Refused)
    assert await till.meta("state") == "open"
    for _ in range(2):  # it is found right, then renewed
        await till.coordinator.settle()
    assert isinstance(await till.give(), Accepted)


async def hold(held: list[tuple[Any, ...]], call: tuple[Any, ...]) -> int:
    """Keep a call instead of making it."""
    held.append(call)
    return 1

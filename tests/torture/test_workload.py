"""Load on real processes: a race for one wallet, and a few crashes; every coin is counted after each."""

from collections.abc import AsyncIterator

import pytest

from tests.torture.campaign import Plan, campaign
from tests.torture.faults import KINDS, possible
from tests.torture.history import History
from tests.torture.run import RACE, RACE_COINS
from tests.torture.stack import Stack, running

FAULTS = ("kill web", "kill valkey and flusher", "replies dropped")


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """A stack for this file's tests."""
    folder = tmp_path_factory.mktemp("torture")
    folder.chmod(0o711)
    async with running(folder / "stack") as started:
        yield started


@pytest.fixture(scope="module")
def history() -> History:
    """What this file's tests do to their stack, one after the other."""
    return History()


async def test_a_race_for_one_wallet(stack: Stack, history: History) -> None:
    """64 sockets spend one wallet at once: what is affordable is spent, to the last gift, and not one more."""
    async with campaign(stack, 5, RACE, history) as race:
        await race.run_for(60)
        verdict = await race.check()
        tally = race.tally
    assert verdict.violations == []
    assert tally.failures == []
    price = history.gifts[0].coins
    accepted = [gift for gift in history.gifts if gift.final == "ok"]
    assert len(accepted) == RACE_COINS // price < len(history.gifts)
    assert min(receipt.balance_coins for gift in accepted for receipt in gift.receipts) == RACE_COINS % price


async def test_crashes_under_load(stack: Stack, history: History) -> None:
    """Processes, the ledger's Redis and replies are lost under load: no coin is, and every outcome can be learned."""
    assert set(FAULTS) <= KINDS.keys()
    plan = Plan(people=5, sockets=2, window=8, top_ups_per_s=10)
    async with campaign(stack, 6, plan, history) as run:
        for name in FAULTS:
            if name in possible():
                await run.run_for(0.5)
                await run.cycle([name])
        verdict = await run.check()
        tally = run.tally
    assert tally.failures == []
    assert verdict.violations == []
    assert verdict.lost == []
    assert tally.cycles >= 2
    assert verdict.gifts > 1_000

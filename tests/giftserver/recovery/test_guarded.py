"""Money scripts run on the approved run only, whatever a server has loaded."""

import pytest

from giftserver.ledger import keys
from giftserver.ledger.guarded import GuardedScript, RunNotApproved, run_of
from giftserver.ledger.outcomes import Accepted, Reason, Refused
from tests.giftserver.recovery.conftest import SHARD, Till, open_ledger_of


async def test_a_server_whose_shard_was_given_to_another_run_refuses(till: Till) -> None:
    """It still knows the script, as a cut-off primary does; the shard's meta names another run."""
    assert isinstance(await till.give(), Accepted)
    before = await till.redis.hgetall(keys.wallet(SHARD, "ana"))
    await till.redis.hset(keys.meta(SHARD), "run", "f" * 40)
    assert await till.give() == Refused(Reason.TRY_AGAIN, "FENCED")
    assert await till.redis.hgetall(keys.wallet(SHARD, "ana")) == before


async def test_a_process_that_knows_the_old_run_only_learns_the_new_one(till: Till) -> None:
    """Another process opened the shard anew: the first gift after that is taken."""
    other = open_ledger_of(till.redis, till.database)
    assert await other.balance("ana") == 100
    await till.crash()
    await till.coordinator.settle()
    assert isinstance(await other.send(till.order()), Accepted)
    await other.close()


async def test_no_text_becomes_a_script(till: Till) -> None:
    """What stands in meta as the run is never put into a script unless it looks like one."""
    script = GuardedScript(till.redis, "send_gifts.lua")
    for run in ("", "x' error('", "a b"):
        with pytest.raises(RunNotApproved):
            await script(SHARD, run, [keys.meta(SHARD), keys.events(SHARD)], [])
    with pytest.raises(RunNotApproved, match="not approved"):
        await script(SHARD, "0" * 40, [keys.meta(SHARD), keys.events(SHARD)], [])
    assert await run_of(till.redis) == await till.meta("run")

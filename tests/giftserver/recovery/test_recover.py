"""What a person decides, with the real command against real engines."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from giftserver.cli import main
from giftserver.ledger import keys
from giftserver.ledger.outcomes import Accepted
from giftserver.recovery.coordinator import Coordinator
from giftserver.recovery.recover import from_postgresql, survey
from giftserver.recovery.verdict import Action
from giftserver.settings import Settings
from tests.giftserver.recovery.conftest import SHARD, Till


def recover(till: Till, settings: Settings, *arguments: str) -> Result:
    """Run the command on the test's engines."""
    url = till.instance._urls().ledger_redis_url
    environment = {
        "GIFTSERVER_LEDGER_REDIS_URL": url,
        "GIFTSERVER_ROOMS_REDIS_URL": settings.rooms_redis_url,
        "GIFTSERVER_DATABASE_URL": settings.database_url,
    }
    return CliRunner().invoke(main, ["recover", *arguments], env=environment)


async def torn(till: Till) -> None:
    """A settled gift, then one that nobody can read between two good ones."""
    await till.give(10)
    await till.flush()
    await till.give(20)
    time_ms = (await till.redis.xrange(keys.events(SHARD), "1-2", "1-2"))[0][1][b"t"]
    await till.redis.xadd(keys.events(SHARD), {b"e": b"\xc1", b"t": time_ms}, id="1-3")
    await till.redis.hset(keys.meta(SHARD), "seq", 3)
    await till.give(7)


async def test_a_shard_with_an_unreadable_event_goes_on(till: Till, tmp_path: Path) -> None:
    """What can be read is sent again under its key, the rest is kept in a file; the ledger is whole."""
    await torn(till)
    keep = tmp_path / "kept.jsonl"
    outcome = await from_postgresql(till.database, till.redis, SHARD, keep)
    assert (outcome.again, list(outcome.unreadable), outcome.refused) == (["1-2", "1-4"], ["1-3"], {})
    kept = [json.loads(line) for line in keep.read_text().splitlines()]
    assert [line["event"] for line in kept[1:]] == ["1-2", "1-3", "1-4"]
    assert kept[2]["raw"]["e"] == "c1"
    again = await till.ledger.send(till.sent[-1])
    assert isinstance(again, Accepted)
    assert (again.repeated, again.epoch, again.seq) == (True, 2, 3)
    await till.flush()
    assert await till.ledger.balance("ana") == 100 - 10 - 20 - 7
    assert await till.violations() == []


async def test_nothing_is_changed_by_looking(till: Till) -> None:
    """The survey reads; shards stay as they are."""
    await till.give(10)
    before = await till.redis.hgetall(keys.meta(SHARD))
    found = await survey(till.database, till.redis)
    assert {seen.verdict.action for seen in found.values()} == {Action.KEEP}
    assert await till.redis.hgetall(keys.meta(SHARD)) == before


def test_the_words(settings: Settings) -> None:
    """Options that do not fit together are told."""
    for arguments in (["--shard", "3"], ["--apply"], ["--from-postgresql"]):
        result = CliRunner().invoke(main, ["recover", *arguments])
        assert result.exit_code == 2
        assert "belong together" in result.output


async def test_a_dry_run_then_the_decision(till: Till, settings: Settings, tmp_path: Path) -> None:
    """The command names the shard that waits for a person, refuses beside a worker, and then opens it."""
    await torn(till)
    await till.redis.xdel(keys.events(SHARD), "1-3")
    await till.coordinator.settle()
    await till.crash()
    await till.coordinator.settle()
    shown = await asyncio.to_thread(recover, till, settings)
    assert shown.exit_code == 1, shown.output
    assert f"shard {SHARD:02d}  stop" in shown.output
    assert f"giftserver recover --shard {SHARD} --from-postgresql" in shown.output
    arguments = ("--shard", str(SHARD), "--from-postgresql", "--keep", str(tmp_path / "kept"), "--apply")
    would = await asyncio.to_thread(recover, till, settings, *arguments[:3])
    assert "goes on after 1-1 and sends 2 events again" in would.output
    worker = Coordinator(till.database, till.redis)
    assert await worker._lock.take()
    beside = await asyncio.to_thread(recover, till, settings, *arguments)
    assert (beside.exit_code, "stop it first" in beside.output) == (1, True)
    await worker._lock.release()
    done = await asyncio.to_thread(recover, till, settings, *arguments)
    assert done.exit_code == 0, done.output
    assert "2 gifts sent again" in done.output
    assert isinstance(await till.give(1), Accepted)
    await till.flush()
    assert await till.violations() == []
    again = await asyncio.to_thread(recover, till, settings, *arguments)
    assert "exists already" in again.output


@pytest.mark.parametrize(
    ("setting", "value", "words"),
    [("maxmemory-policy", "allkeys-lru", "noeviction"), ("appendfsync", "no", "always"), ("appendonly", "no", "yes")],
)
async def test_production_refuses_engines_that_lose(till: Till, setting: str, value: str, words: str) -> None:
    """Nothing opens on a Redis that could lose an acknowledged gift, and the sentence says what to set."""
    was = (await till.redis.config_get(setting))[setting]
    await till.redis.config_set(setting, value)
    try:
        await till.redis.hset(keys.meta(SHARD), "state", "fenced")
        with pytest.raises(Exception, match=f"set `{setting} {words}`"):
            await Coordinator(till.database, till.redis, production=True).settle()
        assert await till.meta("state") == "fenced"
        await Coordinator(till.database, till.redis).settle()
        assert await till.meta("state") == "open"
    finally:
        await till.redis.config_set(setting, was)

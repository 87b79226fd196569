"""The append-only file is damaged in the middle: what the operations guide says is done, step by step."""

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from giftserver.durable.verify import verify
from giftserver.embedded import EmbeddedError, Instance
from giftserver.engines import Engines, open_redis
from giftserver.ledger.outcomes import Accepted
from giftserver.recovery.coordinator import Coordinator
from tests.giftserver.recovery.conftest import Till, open_ledger_of


@pytest.fixture
def doomed(tmp_path: Path) -> Iterator[Instance]:
    """A ledger Redis that only this test uses."""
    instance = Instance(tmp_path, rooms=False, database=False)
    instance.start()
    yield instance
    instance.stop()


async def test_redis_is_filled_again_and_the_gifts_behind_the_damage_are_sent_again(
    doomed: Instance, engines: Engines, tmp_path: Path, until
) -> None:
    """It does not start; with its folder moved away it starts empty, and no coin is lost or spent twice."""
    url = doomed._urls().ledger_redis_url
    assert url is not None
    redis = open_redis(url, 2.0)
    ledger = open_ledger_of(redis, engines.database)
    till = Till(doomed, redis, engines.database, ledger, Coordinator(engines.database, redis, lease_ms=60_000))
    await till.coordinator.settle()
    ledger.start()
    await till.fund("ana", 1_000)
    for _ in range(20):
        assert isinstance(await till.give(10), Accepted)
    await till.flush()
    for _ in range(5):  # PostgreSQL has not heard of these
        assert isinstance(await till.give(10), Accepted)

    folder = tmp_path / "valkey" / "ledger"
    os.kill(doomed.pids["valkey-ledger"], signal.SIGKILL)
    [file] = folder.rglob("*.incr.aof")
    content = bytearray(file.read_bytes())
    command = content.index(b"\r\n*", len(content) // 2) + 2
    content[command : command + 40] = b"?" * 40
    file.write_bytes(content)
    with pytest.raises(EmbeddedError, match="Bad file format"):
        await asyncio.to_thread(revived, doomed)
    assert file.read_bytes() == content, "it is kept as it is"

    shutil.move(folder / "appendonlydir", tmp_path / "kept")
    await asyncio.to_thread(revived, doomed)
    await till.redis.connection_pool.disconnect()
    await till.coordinator.settle()
    assert isinstance(await till.give(1), Accepted)

    async def all_there() -> bool:
        await till.flush()
        return await ledger.balance("ana") == 1_000 - 250 - 1

    await until(all_there, 20)
    again = await ledger.send(till.sent[22])
    assert isinstance(again, Accepted)
    assert again.repeated
    await till.flush()
    report = await verify(engines.database, redis)
    assert report.holds, report.render()
    await ledger.close()
    await redis.aclose()


def revived(instance: Instance) -> None:
    """Start what has died, however long it takes to be seen."""
    while not instance.revive():
        pass

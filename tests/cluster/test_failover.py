"""A replica takes over while people give: what was accepted is booked once, or is known to be lost."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from redis.crc import key_slot
from redis.exceptions import RedisError
from sqlalchemy import text

from giftserver.auth.tokens import Identity
from giftserver.engines import open_engines
from giftserver.errors import Refusal
from giftserver.gifts.messages import Receipt, SendGift
from giftserver.ledger import keys
from giftserver.recovery.coordinator import Coordinator
from giftserver.settings import Settings
from tests.cluster.listener import Listener, listening
from tests.cluster.nodes import Node, Nodes, role, running_cluster, until, wait_for
from tests.cluster.platform import COINS, Givers, assert_proven, new_key, platform
from tests.giftserver.conftest import Web, running

LEASE_MS = 1_500


@pytest.fixture(scope="module")
def session_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    """A cluster of this file's own, since a server is lost here."""
    with running_cluster(tmp_path_factory.mktemp("failover") / "nodes") as started:
        yield started


def shards_of(nodes: Nodes, primary: Node) -> list[int]:
    """Shards whose keys a server holds."""
    return [shard for shard in range(keys.SHARDS) if nodes.owner(key_slot(keys.meta(shard).encode())) is primary]


async def assert_each_booked_once(givers: Givers) -> None:
    """Receipts, books, balances and the proof agree."""
    assert await givers.booked() == {key: receipt.coins for key, receipt in givers.receipts.items()}
    for user, given in givers.given.items():
        assert await givers.web.services.ledger.balance(user) == COINS - given
    await assert_proven(givers.web)


async def test_a_wanted_failover_there_and_back(settings: Settings, nodes: Nodes) -> None:
    """The servers go on living and know the scripts; yet each takes gifts only after it was compared."""
    first = nodes.primaries[0]
    second = nodes.replica_of(first)
    async with platform(settings) as web:
        givers = Givers(web)
        await givers.start()
        shard = shards_of(nodes, first)[0]
        for leader in (second, first):
            await givers.more(shard)
            leader.ask.execute_command("CLUSTER FAILOVER")
            await asyncio.to_thread(wait_for, lambda leader=leader: role(leader) == "master", "the other leads")
        await givers.more(shard)
        await givers.stop()
        await assert_each_booked_once(givers)


async def test_a_primary_that_wakes_after_its_lease_accepts_nothing(
    settings: Settings, nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gift that waits at a frozen server is not accepted by it, though it has not heard yet that another leads."""
    monkeypatch.setattr("giftserver.worker.LEASE_MS", LEASE_MS)
    primary = nodes.primaries[1]
    replica = nodes.replica_of(primary)
    shard = shards_of(nodes, primary)[0]
    patient = settings.model_copy(update={"ledger_timeout_s": 30.0})
    async with platform(settings) as web, running(patient) as other:
        givers = Givers(web)
        await givers.start()
        await givers.more(shard)
        giver = next(user for user in givers.given if keys.shard_of(user) == shard)
        key = new_key()
        assert isinstance(await give(other, giver, new_key(), givers), Receipt)
        await asyncio.to_thread(wait_for, lambda: primary.ask.hget(keys.meta(shard), "lease_ms") != "0", "a lease")
        primary.process.send_signal(signal.SIGSTOP)
        frozen_s = time.monotonic()
        waiting = asyncio.create_task(give(other, giver, key, givers))
        await asyncio.to_thread(wait_for, lambda: role(replica) == "master", "the replica takes over")
        await givers.more(shard)
        await asyncio.to_thread(wait_for, lambda: time.monotonic() > frozen_s + LEASE_MS / 500, "the lease ends")
        assert not waiting.done()
        primary.process.send_signal(signal.SIGCONT)
        answer = await waiting
        while isinstance(answer, Refusal):
            assert answer.code.temporary, answer
            answer = await give(other, giver, key, givers)
        assert int(answer.transfer.split("-")[1]) > 1, "a server that was given up has accepted a gift"
        await givers.stop()
        await assert_each_booked_once(givers)


async def give(web: Web, user: str, key: str, givers: Givers) -> Receipt | Refusal:
    """One gift through another web process than the givers', counted among theirs once it is accepted."""
    command = SendGift(id=1, key=key, gift="dewdrop", quantity=1)
    sender = Identity(user, user.title(), "viewer", None, float("inf"))
    answer = await web.services.gifts.send(sender, "harbour", command)
    if isinstance(answer, Receipt):
        givers.receipts[key] = answer
        givers.given[user] += 1
    return answer


async def test_a_lost_primary_and_a_lost_tail(settings: Settings, nodes: Nodes) -> None:
    """A primary dies with gifts nobody else has: web processes send theirs again, the rest is found by receipts."""
    primary = nodes.primaries[0]
    replica = nodes.replica_of(primary)
    shards = shards_of(nodes, primary)
    forgotten = shards[0]
    channel = next(f"{{r:{n}}}:events" for n in range(100) if nodes.owner(key_slot(b"r:%d" % n)) is primary)
    flush_from = asyncio.Event()
    async with platform(settings, flush_from) as web, listening(web.engines.rooms_redis) as listener:
        await listener.join(channel)
        givers = Givers(web)
        await givers.start()
        await givers.more(forgotten)
        replica.process.send_signal(signal.SIGSTOP)
        primary.ask.execute_command("CLIENT KILL TYPE replica")
        for shard in shards:
            await givers.more(shard)
        told = {shard: await seq_of(web.engines.ledger_redis, shard) for shard in shards}
        primary.kill()
        web.services.ledger._unsettled.take_older(forgotten, "")  # its web process died as well
        replica.process.send_signal(signal.SIGCONT)
        await givers.more(next(shard for shard in range(keys.SHARDS) if shard not in shards))
        await asyncio.to_thread(wait_for, lambda: role(replica) == "master", "the replica takes over")
        flush_from.set()
        for shard in shards:
            await givers.more(shard)
        await givers.stop()
        epochs = await last_epochs(web)
        assert all(epochs[shard].epoch > 1 and epochs[shard].seq < told[shard] for shard in shards), "nothing was lost"
        await assert_only_one_shard_lost(givers, forgotten)
        await hear_again(listener, web.engines.rooms_redis, channel)


async def assert_only_one_shard_lost(givers: Givers, shard: int) -> None:
    """What is not in the books is told by the receipts, is of this shard, and was not charged."""
    await until(lambda: resent(givers), "accepted gifts are sent again")
    receipts = {key: receipt.coins for key, receipt in givers.receipts.items()}
    booked = await givers.booked()
    assert booked.items() <= receipts.items()
    lost = [givers.receipts[key] for key in receipts.keys() - booked.keys()]
    assert {receipt.transfer[:3] for receipt in lost} == {f"{shard:02d}-"}
    for user, given in givers.given.items():
        missing = len(lost) if keys.shard_of(user) == shard else 0
        assert await givers.web.services.ledger.balance(user) == COINS - given + missing
    await assert_proven(givers.web)


async def resent(givers: Givers) -> bool:
    """Whether the web process has nothing left that it was told and PostgreSQL lacks."""
    return not givers.web.services.ledger._unsettled.shards()


async def hear_again(listener: Listener, redis: Any, channel: str) -> None:
    """The rooms of the lost server are heard on the new one, and were told that they may have missed something."""

    async def heard() -> bool:
        return bool(await redis.execute_command("SPUBLISH", channel, b"after"))

    await until(heard, "somebody is subscribed")
    await listener.until(lambda: listener.heard[channel] != [])
    assert listener.reconnects > 0


async def last_epochs(web: Web) -> dict[int, Any]:
    """How each shard was last opened."""
    async with web.engines.database.connect() as connection:
        rows = await connection.execute(text("SELECT * FROM ledger_epoch ORDER BY shard, epoch"))
        return {row.shard: row for row in rows}


async def seq_of(redis: Any, shard: int) -> int:
    """Number of a shard's last gift."""
    return int(await redis.hget(keys.meta(shard), "seq"))


async def test_a_server_that_stays_away_stops_only_its_shards(settings: Settings, nodes: Nodes) -> None:
    """The others' leases are renewed, for longer than a lease lasts."""
    lost = nodes.owner(key_slot(keys.meta(0).encode()))
    shards = shards_of(nodes, lost)
    async with open_engines(settings) as engines:
        coordinator = Coordinator(engines.database, engines.ledger_redis, lease_ms=600)
        assert await coordinator.settle()
        lost.kill()
        leases: dict[int, set[int]] = {}
        for _ in range(20):
            with contextlib.suppress(RedisError, OSError):
                await coordinator.settle()
            for shard in set(range(keys.SHARDS)) - set(shards):
                lease_ms = int(await engines.ledger_redis.hget(keys.meta(shard), "lease_ms"))
                leases.setdefault(shard, set()).add(lease_ms)
            await asyncio.sleep(0.05)
        assert all(len(seen) > 10 for seen in leases.values()), leases
        living = keys.meta(next(iter(leases)))
        never_seen = engines.ledger_redis.register_script("return redis.call('HGET', KEYS[1], 'state') -- new")
        assert await never_seen(keys=[living]) == b"open"

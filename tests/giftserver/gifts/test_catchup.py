"""Paid gifts that no web process showed are shown by the flusher, once, also after it died in between."""

from collections.abc import Awaitable, Callable
from importlib.resources import files
from typing import Any

import pytest

from giftserver.durable.flush import flush_shard
from giftserver.engines import Engines
from giftserver.gifts import catchup
from giftserver.gifts.body import push_of
from giftserver.gifts.catalog import load_catalog
from giftserver.gifts.catchup import CatchUp
from giftserver.gifts.messages import Gift
from giftserver.ledger import keys
from rooms.history import History
from tests.giftserver.conftest import Web

Look = Callable[[], Awaitable[int]]


@pytest.fixture
def look(web: Web, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Looks at all shards as the flusher does, without the second of grace; returns how many gifts were late."""
    monkeypatch.setattr(catchup, "GRACE_MS", -1_000)
    engines: Engines = web.engines
    redis: Any = engines.ledger_redis
    advance = redis.register_script((files("giftserver.ledger") / "scripts" / "advance_mark.lua").read_text())
    shown: list[int] = []
    catch_up = CatchUp(engines.ledger_redis, web.services.history, load_catalog(), advance, shown.append)

    async def run() -> int:
        before = sum(shown)
        for shard in range(keys.SHARDS):
            await flush_shard(engines.database, engines.ledger_redis, shard)
            while await catch_up.look(shard):
                pass
        return sum(shown) - before

    return run


def silence(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """The web process dies before it announces anything."""
    monkeypatch.setattr(web.services.announcer, "submit", lambda room, event: None)


async def shown_in(history: History, room: str = "harbour") -> list[Gift]:
    """Gifts in a room's history."""
    _, records = await history.page(room, 0, 1_000)
    return [push for push in map(push_of, records) if isinstance(push, Gift)]


async def test_unannounced_gifts_are_shown_once(
    web: Web, look: Look, new_key: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gift whose web process died after the script is shown with its combo; a second look shows nothing more."""
    await web.give_coins("ana", 100)
    silence(web, monkeypatch)
    receipts = [await web.send_gift("ana", new_key(), quantity=number) for number in (1, 2, 3)]
    assert await shown_in(web.services.history) == []
    assert await look() == 3
    gifts = await shown_in(web.services.history)
    assert [gift.transfer for gift in gifts] == [receipt.transfer for receipt in receipts]
    assert [gift.combo_quantity for gift in gifts] == [1, 3, 6]
    assert await look() == 0
    meta = await web.engines.ledger_redis.hgetall(keys.meta(keys.shard_of("ana")))
    assert meta[b"announced"] == meta[b"seq"] == b"3"


async def test_announced_gifts_are_left_alone(web: Web, look: Look, new_key: Callable[[], str]) -> None:
    """What the web process showed is not shown again, even when the mark was lost."""
    await web.give_coins("ana", 100)
    for _ in range(5):
        await web.send_gift("ana", new_key())
    await web.services.announcer.close()
    assert await look() == 0
    await web.engines.ledger_redis.hset(keys.meta(keys.shard_of("ana")), "announced", 0)
    assert await look() == 0
    assert len(await shown_in(web.services.history)) == 5


async def test_only_flushed_gifts_are_caught_up(
    web: Web, look: Look, new_key: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not yet in PostgreSQL waits; the mark follows the flusher."""
    await web.give_coins("ana", 100)
    silence(web, monkeypatch)
    await web.send_gift("ana", new_key())
    await look()
    await web.send_gift("ana", new_key())
    monkeypatch.setattr("tests.giftserver.gifts.test_catchup.flush_shard", never)
    assert await look() == 0
    monkeypatch.undo()


async def never(*_: object) -> None:
    """A flusher that does nothing."""


async def test_a_gift_of_an_hour_ahead_is_shown_now(
    web: Web, look: Look, new_key: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock of the ledger's Redis went back since it was decided."""
    monkeypatch.setattr(catchup, "GRACE_MS", 1_000)
    await web.give_coins("ana", 100)
    silence(web, monkeypatch)
    await web.send_gift("ana", new_key())
    events = keys.events(keys.shard_of("ana"))
    [(name, fields)] = await web.engines.ledger_redis.xrange(events)
    await web.engines.ledger_redis.delete(events)
    ahead = {**fields, b"t": int(fields[b"t"]) + 3_600_000}
    await web.engines.ledger_redis.xadd(events, ahead, id=name)
    assert await look() == 1

"""After a shard was filled again, keys from before are looked up in PostgreSQL, and are never charged twice."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from giftserver.durable.credits import credit
from giftserver.durable.flush import flush_shard
from giftserver.durable.restore import PastReceipt
from giftserver.durable.wallets import DurableWallets
from giftserver.ledger.lookups import Lookups
from giftserver.ledger.outcomes import Accepted, Outcome, Reason, Refused
from tests.giftserver.recovery.conftest import SHARD, Till, open_ledger_of


async def wiped(till: Till) -> None:
    """One gift is in PostgreSQL, and Redis was emptied and filled again."""
    assert isinstance(await till.give(10), Accepted)
    await till.flush()
    await till.redis.flushall()
    await till.coordinator.settle()


async def test_an_old_key_has_its_old_receipt(till: Till) -> None:
    """The resend is not charged, whoever asks; another body under the key is refused."""
    await wiped(till)
    sent = till.sent[0]
    again = await till.ledger.send(sent)
    assert isinstance(again, Accepted)
    assert (again.epoch, again.seq, again.coins, again.balance_coins, again.repeated) == (1, 1, 10, 90, True)
    assert await till.ledger.earlier("ana", sent.key, sent.request_hash) == again
    assert await till.ledger.earlier("ana", sent.key, "another") == Refused(Reason.KEY_REUSED)
    assert await till.ledger.send(msgspec.structs.replace(sent, request_hash="another")) == Refused(Reason.KEY_REUSED)
    assert await till.meta("seq") == "1"


async def test_an_old_key_that_bought_nothing_is_taken_once(till: Till) -> None:
    """PostgreSQL was asked; the receipt is in Redis from then on."""
    await wiped(till)
    order = till.order(10)
    first, second = await till.ledger.send(order), await till.ledger.send(order)
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert (first.balance_coins, second.balance_coins, second.repeated) == (80, 80, True)
    await till.flush()
    assert await till.violations() == []


async def test_a_look_up_counts_in_its_epoch_only(till: Till) -> None:
    """What PostgreSQL did not have before the shard was filled again it may have now."""
    await wiped(till)
    await till.ledger.balance("ana")
    stale = msgspec.structs.replace(till.order(10), looked=1)
    assert await till.ledger._submit(stale) == Refused(Reason.TRY_AGAIN, "KEY_UNSEEN")
    assert await till.meta("seq") == "1"


async def test_a_gift_decided_while_its_key_is_looked_up_has_one_receipt(
    till: Till, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL may know of a credit that the wallet did not have then: the resend is told what the first was."""
    await wiped(till)
    order = till.order(10)
    other = open_ledger_of(till.redis, till.database)
    told: list[Outcome] = []

    class Overtaken(DurableWallets):
        async def receipts(self, senders: Sequence[str], keys: Sequence[str]) -> Sequence[PastReceipt]:
            if not told:
                told.append(await till.ledger.send(order))
                await credit(till.database, "ana", 1_000, "top_up", "not brought yet")
                assert await flush_shard(till.database, till.redis, SHARD)
            return await super().receipts(senders, keys)

    monkeypatch.setattr(other, "_lookups", Lookups(Overtaken(till.database)))
    again = await other.send(order)
    await other.close()
    [first] = told
    assert isinstance(first, Accepted)
    assert again == msgspec.structs.replace(first, repeated=True)


async def test_without_postgresql_an_old_key_waits(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody knows whether it was charged, so it is not."""
    await wiped(till)
    await till.ledger.balance("ana")

    async def away(*args: Any) -> list[PastReceipt]:
        raise ConnectionRefusedError

    monkeypatch.setattr(DurableWallets, "receipts", away)
    assert await till.ledger.send(till.sent[0]) == Refused(Reason.TRY_AGAIN, "KEY_UNSEEN")
    assert await till.ledger.earlier("ana", till.sent[0].key, "h1") is None
    assert await till.meta("seq") == "1"


async def test_who_asks_at_the_same_time_is_answered_together(till: Till) -> None:
    """One question for all keys of a loop turn, and each answer to its own."""
    await wiped(till)
    questions: list[int] = []

    class Counted(DurableWallets):
        async def receipts(self, senders: Sequence[str], keys: Sequence[str]) -> Sequence[PastReceipt]:
            questions.append(len(keys))
            return await super().receipts(senders, keys)

    lookups = Lookups(Counted(till.database))
    names = [till.sent[0].key, *(till.order().key for _ in range(50)), till.sent[0].key]
    found = await asyncio.gather(*(lookups.find("ana", key) for key in names))
    assert [past.seq if past else None for past in found] == [1, *[None] * 50, 1]
    assert await lookups.find("ben", till.sent[0].key) is None
    assert questions == [51, 1]

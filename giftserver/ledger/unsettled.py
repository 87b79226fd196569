"""Gifts this process accepted and PostgreSQL does not have yet: sent again, under their keys, if Redis loses them.

A new epoch is the sign that Redis may have lost the end of its history. The record of the openings says up to which
number it was kept; a gift beyond that is decided once more.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec
import structlog

from giftserver.ledger import keys
from giftserver.ledger.events import transfer_id
from giftserver.ledger.outcomes import Accepted, GiftOrder, Outcome, Reason, Refused
from giftserver.ledger.sources import WalletSource

log = structlog.get_logger()

GIFTS_MAX: Final = 200_000
"""Most gifts remembered; while PostgreSQL is away for long, the oldest are forgotten first."""

AGAIN_MAX: Final = 500
"""Gifts sent again at a time; those of one sender stay in their order."""

LATER: Final = (Reason.TRY_AGAIN, Reason.UNKNOWN)


class _Gift(msgspec.Struct, frozen=True, gc=False):
    """An accepted gift; `epoch`: the shard's epoch when its receipt was last seen."""

    epoch: str
    receipt: Accepted
    order: GiftOrder


class Unsettled:
    """What is accepted and not known to be settled, by shard, oldest first."""

    def __init__(self) -> None:
        self._gifts: list[deque[_Gift]] = [deque() for _ in range(keys.SHARDS)]
        self._epochs: list[str | None] = [None] * keys.SHARDS
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def shards(self) -> list[int]:
        """Shards that have some."""
        return [shard for shard, gifts in enumerate(self._gifts) if gifts]

    def add_all(self, epoch: str, outcomes: Sequence[Accepted | bool], orders: Sequence[GiftOrder]) -> None:
        """Remember the accepted ones of a shard's orders; their receipts were seen in this epoch."""
        gifts = [
            _Gift(epoch, outcome, order)
            for outcome, order in zip(outcomes, orders, strict=True)
            if isinstance(outcome, Accepted)
        ]
        if gifts:
            shard = gifts[0].receipt.shard
            if self._epochs[shard] != epoch:
                self._epochs[shard] = None if self._gifts[shard] else epoch
            self._gifts[shard].extend(gifts)
            self._count += len(gifts)
        while self._count > GIFTS_MAX:
            max(self._gifts, key=len).popleft()
            self._count -= 1

    def settle(self, shard: int, epoch: str, flushed: int) -> None:
        """Forget what PostgreSQL has: in this epoch everything up to `flushed`."""
        gifts = self._gifts[shard]
        while gifts and gifts[0].epoch == epoch and gifts[0].receipt.seq <= flushed:
            gifts.popleft()
            self._count -= 1

    def take_older(self, shard: int, epoch: str) -> list[_Gift]:
        """Remove and return the gifts whose receipts were seen in an earlier epoch only.

        Usually there are none, and that is known without a look at each.
        """
        if self._epochs[shard] == epoch:
            return []
        older = [gift for gift in self._gifts[shard] if gift.epoch != epoch]
        self._epochs[shard] = epoch
        if older:
            self._gifts[shard] = deque(gift for gift in self._gifts[shard] if gift.epoch == epoch)
            self._count -= len(older)
        return older

    def put_back(self, gifts: list[_Gift]) -> None:
        """They were not decided again: keep them, before all others."""
        for gift in reversed(gifts):
            self._gifts[gift.receipt.shard].appendleft(gift)
            self._epochs[gift.receipt.shard] = None
        self._count += len(gifts)


async def look_after(
    redis: Any, source: WalletSource, unsettled: Unsettled, send: Callable[[GiftOrder], Awaitable[Outcome]]
) -> None:
    """One look: forget what is settled, and send again what Redis lost before a shard opened in a later epoch.

    Nothing is sent under a newer key time: a key that is too old may have been decided by another process, and that
    receipt is gone. Raises redis-py's errors and the source's.
    """
    for shard in unsettled.shards():
        epoch, state, flushed = await redis.hmget(keys.meta(shard), "epoch", "state", "flushed")
        if epoch is None or state != b"open":
            continue
        unsettled.settle(shard, epoch.decode(), int(flushed or 0))
        older = unsettled.take_older(shard, epoch.decode())
        try:
            while older:
                some = older[:AGAIN_MAX]
                decided = await _decide_again(source, unsettled, shard, epoch.decode(), some, send)
                older = [gift for gift in some if gift not in decided] + older[AGAIN_MAX:]
                if len(decided) < len(some):
                    break
        finally:
            unsettled.put_back(older)


async def _decide_again(
    source: WalletSource,
    unsettled: Unsettled,
    shard: int,
    epoch: str,
    gifts: Sequence[_Gift],
    send: Callable[[GiftOrder], Awaitable[Outcome]],
) -> list[_Gift]:
    """Those of the gifts whose fate is known now: they are kept in this epoch, sent again, or lost for good."""
    kept = {name: await source.kept_until(shard, int(name)) for name in {gift.epoch for gift in gifts}}
    decided, lost = [], []
    for gift in gifts:
        last = kept[gift.epoch]
        if last is not None and gift.receipt.seq <= last:
            unsettled.add_all(epoch, [gift.receipt], [gift.order])
            decided.append(gift)
        else:
            lost.append(gift)
    for gift, outcome in zip(lost, await asyncio.gather(*(send(gift.order) for gift in lost)), strict=True):
        if not (isinstance(outcome, Refused) and outcome.reason in LATER):
            _tell(gift.receipt, outcome)
            decided.append(gift)
    return decided


def _tell(receipt: Accepted, outcome: Outcome) -> None:
    """Log what became of a gift that was sent again, unless Redis still had it."""
    was = transfer_id(receipt.shard, receipt.epoch, receipt.seq)
    if isinstance(outcome, Refused):
        log.error("accepted_gift_lost", transfer=was, coins=receipt.coins, reason=outcome.reason.value)
    elif not outcome.repeated:
        now = transfer_id(outcome.shard, outcome.epoch, outcome.seq)
        log.warning("gift_sent_again", transfer=was, now=now, coins=receipt.coins)

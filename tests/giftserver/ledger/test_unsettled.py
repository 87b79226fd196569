"""Gifts that are accepted and not settled: those of an older epoch are found, however they came to be here."""

from giftserver.ledger.outcomes import Accepted, GiftOrder
from giftserver.ledger.unsettled import Unsettled

SHARD = 3


def some(seqs: range, epoch: int) -> tuple[list[Accepted | bool], list[GiftOrder]]:
    receipts: list[Accepted | bool] = [Accepted(SHARD, epoch, seq, 1, 0, 9, 0, False) for seq in seqs]
    return receipts, [GiftOrder(f"key-{seq}", 0, "", "ana", "ben", 1, 0, b"") for seq in seqs]


def seqs(gifts: list[object]) -> list[int]:
    return [gift.receipt.seq for gift in gifts]  # type: ignore[attr-defined]


def test_gifts_of_an_older_epoch_are_taken_once() -> None:
    """When newer ones are behind them, when there are none, and when they were put back."""
    unsettled = Unsettled()
    unsettled.add_all("1", *some(range(1, 4), 1))
    assert unsettled.take_older(SHARD, "1") == []
    unsettled.add_all("2", *some(range(4, 6), 2))
    older = unsettled.take_older(SHARD, "2")
    assert seqs([*older]) == [1, 2, 3]
    assert unsettled.take_older(SHARD, "2") == []
    unsettled.put_back(older[1:])
    assert seqs([*unsettled.take_older(SHARD, "2")]) == [2, 3]
    assert len(unsettled) == 2
    assert seqs([*unsettled.take_older(SHARD, "3")]) == [4, 5]
    assert len(unsettled) == 0


def test_one_that_is_seen_late_in_an_older_epoch_is_taken_too() -> None:
    """Its receipt was looked up before the shard was opened again."""
    unsettled = Unsettled()
    unsettled.add_all("2", *some(range(4, 6), 2))
    unsettled.add_all("1", *some(range(3, 4), 1))
    assert seqs([*unsettled.take_older(SHARD, "2")]) == [3]
    unsettled.settle(SHARD, "2", 5)
    assert len(unsettled) == 0
    unsettled.add_all("3", *some(range(6, 7), 3))
    assert unsettled.take_older(SHARD, "3") == []
    assert seqs([*unsettled.take_older(SHARD, "4")]) == [6]

"""What a batch does to accounts and days, without a database."""

from datetime import date
from typing import Any

import pytest

from giftserver.durable.bookkeeping import (
    DAY_MS,
    DIAMONDS_ISSUED,
    GIFTS_SPENT,
    Account,
    DaySum,
    Sum,
    days,
    earnings,
    lines,
    sums,
    wallet,
)
from giftserver.durable.intake import FlushedGift
from giftserver.durable.tables import gift_id
from giftserver.ledger.events import GiftEvent

SHARD = 3


def gift(seq: int, sender: str, creator: str, coins: int, diamonds: int, **changes: Any) -> FlushedGift:
    """A gift of the stream."""
    fields: dict[str, Any] = {
        "key": f"key-{seq}", "request_hash": "abc", "sender": sender, "sender_name": sender, "creator": creator,
        "room": "harbour", "gift": "rose", "quantity": 1, "coins": coins, "diamonds": diamonds, "catalog_version": 1,
        "rate_version": 1, "note": "",
    }  # fmt: skip
    at_ms = changes.pop("at_ms", DAY_MS)
    return FlushedGift(SHARD, 1, seq, at_ms, GiftEvent(**{**fields, **changes}))


@pytest.fixture
def gifts() -> list[FlushedGift]:
    """Three gifts of two senders to two creators, one of them too small for a diamond."""
    return [gift(1, "ana", "mira", 10, 5), gift(2, "ben", "mira", 30, 15), gift(3, "ana", "noor", 1, 0)]


def test_sums_are_what_every_account_moves(gifts: list[FlushedGift]) -> None:
    """Coins go from wallets to the platform, diamonds from the platform to creators; who gets none has no entry."""
    moved = sums(gifts)
    assert moved == {
        wallet("ana"): Sum(-11, 2),
        wallet("ben"): Sum(-30, 1),
        earnings("mira"): Sum(20, 2),
        GIFTS_SPENT: Sum(41, 3),
        DIAMONDS_ISSUED: Sum(-20, 2),
    }


def test_gifts_of_no_diamonds_leave_the_platforms_diamonds_alone() -> None:
    """An account that nothing moves on is not locked."""
    assert sums([gift(1, "ana", "mira", 1, 0)]).keys() == {wallet("ana"), GIFTS_SPENT}


def test_lines_carry_balances_and_versions_on(gifts: list[FlushedGift]) -> None:
    """Each entry has its account's next version and the balance after it, and a gift's entries sum to zero."""
    before = {
        wallet("ana"): Account(1000, 100, 1),
        wallet("ben"): Account(1001, 50, 7),
        earnings("mira"): Account(1002, 3, 2),
        GIFTS_SPENT: Account(2, 500, 40),
        DIAMONDS_ISSUED: Account(3, -90, 30),
    }
    first, second, third = (gift_id(SHARD, 1, seq) for seq in (1, 2, 3))
    assert list(lines(gifts, before)) == [
        (first, 1, 1000, 2, -10, 90),
        (first, 2, 2, 41, 10, 510),
        (first, 3, 3, 31, -5, -95),
        (first, 4, 1002, 3, 5, 8),
        (second, 1, 1001, 8, -30, 20),
        (second, 2, 2, 42, 30, 540),
        (second, 3, 3, 32, -15, -110),
        (second, 4, 1002, 4, 15, 23),
        (third, 1, 1000, 3, -1, 89),
        (third, 2, 2, 43, 1, 541),
    ]


def test_days_are_utc_days_of_the_gifts_own_time() -> None:
    """Midnight in UTC divides them; creators and rooms are apart."""
    found = days(
        [
            gift(1, "ana", "mira", 10, 5, at_ms=2 * DAY_MS - 1),
            gift(2, "ben", "mira", 20, 9, at_ms=2 * DAY_MS),
            gift(3, "ana", "mira", 30, 15, at_ms=2 * DAY_MS + 5),
            gift(4, "ana", "mira", 1, 0, at_ms=2 * DAY_MS, room="pier"),
        ]
    )
    assert found == {
        ("mira", date(1970, 1, 2), "harbour"): DaySum(1, 10, 5),
        ("mira", date(1970, 1, 3), "harbour"): DaySum(2, 50, 24),
        ("mira", date(1970, 1, 3), "pier"): DaySum(1, 1, 0),
    }

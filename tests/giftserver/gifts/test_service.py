"""Keys are UUIDv7, a key stands for one body, and every refusal of the ledger has words."""

import pytest

from giftserver.gifts.messages import SendGift
from giftserver.gifts.rates import RateCard
from giftserver.gifts.service import explain, hash_request, time_of_key
from giftserver.ledger.limits import LimitReached
from giftserver.ledger.outcomes import Reason, Refused

KEY = "01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize(
    "key", ["", "x" * 36, "6ba7b810-9dad-41d1-80b4-00c04fd430c8", KEY.upper(), "{" + KEY[:-1], KEY.replace("-", "")]
)
def test_other_keys_have_no_time(key: str) -> None:
    """Only canonical lower-case UUIDv7: two spellings of one key would be two keys."""
    assert time_of_key(key) is None


def test_a_key_tells_its_time() -> None:
    """The first 48 bits are Unix ms."""
    assert time_of_key(KEY) == 0x01890A5DAC96


def test_everything_in_a_command_is_in_its_hash() -> None:
    """Another room, gift, quantity, price, creator or note is another request; the frame's id is not."""
    base = {"id": 1, "key": KEY, "gift": "dewdrop", "quantity": 1}
    changes = ({}, {"gift": "clover"}, {"quantity": 2}, {"price_coins": 1}, {"to": "mira"}, {"note": "hi"})
    hashes = {hash_request("harbour", SendGift(**(base | change))) for change in changes}  # type: ignore[arg-type]
    hashes.add(hash_request("attic", SendGift(**base)))  # type: ignore[arg-type]
    assert len(hashes) == len(changes) + 1
    assert hash_request("harbour", SendGift(**(base | {"id": 2}))) in hashes  # type: ignore[arg-type]


@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_has_words(reason: Reason) -> None:
    """And a temporary one says when to try again."""
    refusal = explain(Refused(reason, balance_coins=1, limit=LimitReached("day", 90, 10, 1)), 99)
    assert len(refusal.message) > 15
    assert refusal.code.temporary == (reason in (Reason.TRY_AGAIN, Reason.UNKNOWN))
    assert ("retry_after_ms" in refusal.details) == refusal.code.temporary


def test_too_few_coins_in_words() -> None:
    """The sentence a viewer reads."""
    assert explain(Refused(Reason.INSUFFICIENT, balance_coins=12), 99).message == (
        "You have 12 coins left. This gift is 99."
    )


def test_rates_round_down() -> None:
    """Fractions of a diamond are nobody's."""
    assert [RateCard(2, 1, 2).diamonds(coins) for coins in (1, 2, 3)] == [0, 1, 1]

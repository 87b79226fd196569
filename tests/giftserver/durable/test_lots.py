"""Which purchase a coin came from, and how a loss is shared."""

from giftserver.durable.claim_booking import pro_rata
from giftserver.durable.lots import WalletMove, lots_of


def moves(*entries: tuple) -> list[WalletMove]:
    return [WalletMove(number, *entry) for number, entry in enumerate(entries, 1)]


def test_coins_are_spent_first_in_first_out():
    """The oldest credit is spent first; what was given back was never spent; claims are out of their purchase."""
    found = lots_of(
        moves(
            ("recharge", None, "recharge:a", 100), ("recharge", None, "recharge:b", 50),
            ("gift", None, "", -30), ("gift", None, "", -90), ("refund", 4, "refund:x", 90),
            ("gift", None, "", -80), ("claim_open", None, "claim-open:dp", -10),
            ("claim_won", None, "claim-won:dp", 10), ("recharge", None, "recharge:c", 20),
            ("claim_repaid", None, "claim-repaid:c", -15),
        ),
        {"dp": 2, "c": 9},
    )  # fmt: skip
    assert (found[1].left, found[1].gifts) == (0, {3: 30, 6: 70})
    assert (found[2].left, found[2].gifts) == (40, {6: 10})
    assert (found[9].left, found[9].gifts, sorted(found)) == (5, {}, [1, 2, 9])


def test_a_part_is_shared_pro_rata_in_whole_coins():
    """Every coin is in one gift's share, none has more than it took."""
    assert pro_rata({1: 100, 2: 50}, 150) == {1: 100, 2: 50}
    assert pro_rata({1: 100, 2: 50}, 75) == {1: 50, 2: 25}
    shares = pro_rata({1: 1, 2: 1, 3: 1}, 2)
    assert (sum(shares.values()), max(shares.values())) == (2, 1)
    assert pro_rata({1: 5}, 9) == {1: 5}

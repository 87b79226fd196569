"""Gifts put together for viewers: whatever is merged or folded, the sums are the gifts'."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from giftserver.gifts.messages import Gift, GiftsFolded, Person
from giftserver.gifts.presenter import Presenter
from rooms.codec import JSON
from rooms.history import EVENT, Record
from rooms.tick import Condenser, Shown, Tick

NOWHERE: Any = None
SMALL_BELOW = 100


def presenter() -> Presenter:
    """Without rooms and history, which these do not need."""
    return Presenter(NOWHERE, NOWHERE, SMALL_BELOW)


def gift(offset: int, sender: str, kind: str, quantity: int, coins: int, note: str = "") -> Gift:
    """A gift as it is pushed."""
    return Gift(
        offset=offset, transfer=f"00-1-{offset}", sender=Person(sender, sender), gift=kind, quantity=quantity,
        coins=coins, diamonds=coins // 2, combo=f"{sender}{kind}", combo_quantity=quantity, at_ms=0, note=note,
    )  # fmt: skip


class Given(Presenter):
    """Renders the gifts it was given, by their offsets."""

    def __init__(self, gifts: list[Gift]) -> None:
        super().__init__(NOWHERE, NOWHERE, SMALL_BELOW)
        self._given = {one.offset: one for one in gifts}

    def render(self, record: Record) -> Gift:
        return self._given[record.offset]


gifts = st.lists(
    st.tuples(
        st.sampled_from(["ana", "ben", "chloe", *(f"viewer{number}" for number in range(60))]),
        st.sampled_from(["dewdrop", "rose", "kite"]),
        st.integers(1, 9),
        st.sampled_from([1, 5, 10, 99, 100, 5_000]),
        st.sampled_from(["", "", "", "hello"]),
    ),
    min_size=1,
    max_size=120,
)


@given(sent=gifts, folded=st.booleans())
def test_the_sums_are_those_of_the_gifts(sent: list[Any], folded: bool) -> None:
    """Quantity and coins, in every way of looking; dear gifts and notes each stand alone; offsets only go up."""
    made = [gift(offset, *rest) for offset, rest in enumerate(sent, 1)]
    renderer = Given(made)
    shown = [Shown.of(Record(one.offset, EVENT, 0, one.combo or "", 1, 1, ""), renderer) for one in made]
    tick = Tick(shown, [], Condenser(renderer))
    for whole in (True, False):
        frame = tick.frame(JSON, whole=whole, folded=folded and not whole)
        messages = JSON.decode(frame.payload, list[dict[str, Any]])
        singles = [message for message in messages if message["type"] == "gift"]
        folds = [item for message in messages if message["type"] == "gifts_folded" for item in message["items"]]
        for unit in ("quantity", "coins"):
            assert sum(one[unit] for one in singles + folds) == sum(getattr(one, unit) for one in made)
        assert [message["offset"] for message in messages] == sorted(message["offset"] for message in messages)
        assert messages[-1]["offset"] == made[-1].offset
        alone = [one.transfer for one in made if one.coins >= SMALL_BELOW or one.note]
        assert set(alone) <= {one["transfer"] for one in singles}


def test_a_fold_names_each_kind_once_dearest_first() -> None:
    """With the number of people who gave it."""
    pushes = [gift(1, "ana", "dewdrop", 2, 2), gift(2, "ben", "rose", 1, 10), gift(3, "ana", "dewdrop", 1, 1)]
    folded = presenter().fold([*pushes, gift(4, "ben", "dewdrop", 3, 3)])
    assert isinstance(folded, GiftsFolded)
    assert folded.offset == 4
    assert [(item.gift, item.quantity, item.coins, item.senders) for item in folded.items] == [
        ("rose", 1, 10, 1),
        ("dewdrop", 6, 6, 2),
    ]


def test_a_merged_gift_is_the_last_with_the_sums() -> None:
    """The combo's count is cumulative already and is not added up."""
    merged = presenter().merge([gift(1, "ana", "rose", 1, 10), gift(2, "ana", "rose", 4, 40)])
    assert isinstance(merged, Gift)
    assert (merged.offset, merged.quantity, merged.coins, merged.diamonds, merged.combo_quantity) == (2, 5, 50, 25, 4)

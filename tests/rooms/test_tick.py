"""What a tick shows to whom: everything to some; merged, then folded, to viewers; never another sum."""

from collections.abc import Sequence
from typing import Any

from rooms.codec import JSON, Encoded
from rooms.history import COMBO_ENDED, EVENT, Record
from rooms.protocol import Viewers
from rooms.tick import FOLD_FROM, Condenser, Shown, Tick
from tests.rooms.conftest import Plain


def small(offset: int, combo: str) -> Record:
    """A small event of a combo."""
    return Record(offset, EVENT, 0, combo, 1, 1, f"small {offset}")


def large(offset: int) -> Record:
    """A large event."""
    return Record(offset, EVENT, 0, "", 1, 1_000, f"large {offset}")


def ended(offset: int, combo: str) -> Record:
    """The end of a combo."""
    return Record(offset, COMBO_ENDED, 0, combo, 1, 1, "")


class Screen:
    """Ticks of one room, and what they show."""

    def __init__(self) -> None:
        self.condenser = Condenser(Plain())

    def tick(self, *records: Record, latest: Sequence[Encoded] = ()) -> Tick:
        return Tick([Shown.of(record, Plain()) for record in records], latest, self.condenser)

    def see(self, *records: Record, **options: Any) -> list[dict[str, Any]]:
        """What a viewer is shown of a tick."""
        return messages(self.tick(*records), **options)


def messages(tick: Tick, *, whole: bool = False, **options: Any) -> list[dict[str, Any]]:
    decoded: list[dict[str, Any]] = JSON.decode(tick.frame(JSON, whole=whole, **options).payload, list[dict[str, Any]])
    return decoded


def offsets(shown: list[dict[str, Any]]) -> list[int]:
    return [message["offset"] for message in shown]


def test_some_see_everything() -> None:
    """However many there are, each event in its place."""
    records = [small(offset, f"e-{offset}") for offset in range(1, 100)]
    tick = Screen().tick(*records, large(100))
    assert offsets(messages(tick, whole=True)) == list(range(1, 101))


def test_small_events_of_one_key_are_merged() -> None:
    """In the place of the last one; large ones stay where they are."""
    shown = Screen().see(small(1, "a"), large(2), small(3, "b"), small(4, "a"), large(5))
    assert offsets(shown) == [2, 3, 4, 5]


def test_too_many_small_events_are_folded() -> None:
    """One message for all of them, at the offset of the last; large ones are each shown."""
    records = [small(offset, f"c{offset}") for offset in range(1, FOLD_FROM + 2)]
    shown = Screen().see(*records[:10], large(100), *records[10:])
    assert [message["type"] for message in shown].count("folded") == 1
    [folded] = [message for message in shown if message["type"] == "folded"]
    assert (folded["offset"], folded["count"]) == (FOLD_FROM + 1, FOLD_FROM + 1)
    assert [message["offset"] for message in shown if message["type"] == "shown"] == [100]
    assert offsets(Screen().see(*records[:FOLD_FROM])) == list(range(1, FOLD_FROM + 1))


def test_a_slow_viewer_gets_sums_and_no_states() -> None:
    """Small ones folded however few there are, large ones whole, latest states left out."""
    latest = [Encoded(Viewers(5))]
    tick = Screen().tick(small(1, "a"), large(2), latest=latest)
    assert [message["type"] for message in messages(tick)] == ["shown", "shown", "viewers"]
    assert [message["type"] for message in messages(tick, with_latest=False)] == ["shown", "shown"]
    slow = messages(tick, with_latest=False, folded=True)
    assert [(message["type"], message["offset"]) for message in slow] == [("folded", 1), ("shown", 2)]


def test_the_end_of_a_combo_of_which_only_sums_were_shown_is_not_told() -> None:
    """Nobody who watches knows it; who sees everything is told, and so is everybody of which a part was shown."""
    screen = Screen()
    crowd = [small(offset, f"e-{offset}") for offset in range(1, FOLD_FROM + 2)]
    screen.see(*crowd)
    assert offsets(screen.see(small(50, "e-2"))) == [50]
    tick = screen.tick(ended(60, "e-1"), ended(61, "e-2"), ended(62, "elsewhere-7"))
    assert offsets(messages(tick)) == [61, 62]
    assert offsets(messages(tick, whole=True)) == [60, 61, 62]
    assert offsets(screen.see(ended(63, "e-1"))) == [63], "it is forgotten once it ended"


def test_a_combo_that_was_shown_before_it_was_folded_ends_for_all() -> None:
    """Its lane stands on the screens."""
    screen = Screen()
    screen.see(small(1, "e-1"))
    screen.see(small(2, "e-1"), *(small(offset, f"e-{offset}") for offset in range(3, FOLD_FROM + 4)))
    assert offsets(screen.see(ended(90, "e-1"))) == [90]


def test_a_folded_combo_of_which_a_large_event_was_shown_ends_for_all() -> None:
    """The large one stood alone, under the combo's name."""
    screen = Screen()
    screen.see(*(small(offset, f"e-{offset}") for offset in range(1, FOLD_FROM + 2)))
    screen.see(Record(60, EVENT, 0, "e-1", 100, 100, "large"))
    assert offsets(screen.see(ended(90, "e-1"))) == [90]


def test_frames_are_made_once() -> None:
    """For each way of looking."""
    tick = Screen().tick(large(1))
    assert tick.frame(JSON, whole=False) is tick.frame(JSON, whole=False)
    assert tick.frame(JSON, whole=True) is tick.frame(JSON, whole=True)

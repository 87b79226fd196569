"""What one tick of a room shows, made into frames once for each way of looking at it.

Those who must see everything (creators, overlays) get every event. Viewers get large events one by one and small ones
merged; when even the merged ones are too many for one tick, as one folded message. Whatever somebody counts over what
is shown, merged or folded or not, is the same sum.
"""

from collections.abc import Collection, Hashable, Sequence
from typing import Final, Protocol

import msgspec

from rooms.codec import Codec, Encoded
from rooms.frames import Frame
from rooms.history import COMBO_ENDED, Record
from rooms.protocol import Push

FOLD_FROM: Final = 30
"""Small items, after merging, that viewers get in one tick at most; more are folded."""

COMBOS_MAX: Final = 10_000
"""Combos that are remembered as folded; the ends of older ones are told to viewers, who know nothing of them."""


class Renderer(Protocol):
    """The application's part: what records look like on the wire, and how small ones are put together."""

    def render(self, record: Record) -> Push:
        """The push that shows this record."""
        ...

    def small(self, push: Push) -> Hashable | None:
        """What small pushes are merged by, None for one that is always shown by itself."""
        ...

    def merge(self, pushes: Sequence[Push]) -> Push:
        """One push that says the same as several of one key."""
        ...

    def fold(self, pushes: Sequence[Push]) -> Push:
        """One push that says the sums of many small ones."""
        ...


class Shown(msgspec.Struct, frozen=True, gc=False):
    """One event of a tick; `key`: what small ones are merged by.

    Rooms keep their last minute of these. There is no way back to one from what it holds, so the collector of cycles
    is spared the look at each, which stopped a busy process for a tenth of a second.
    """

    record: Record
    offset: int
    push: Push
    encoded: Encoded
    key: Hashable | None

    @classmethod
    def of(cls, record: Record, renderer: Renderer) -> "Shown":
        """The event of a record."""
        push = renderer.render(record)
        key = None if record.kind == COMBO_ENDED else renderer.small(push)
        return cls(record, record.offset, push, Encoded(push), key)


class Tick:
    """The events and states of one; frames are made when somebody needs them."""

    def __init__(self, shown: Sequence[Shown], latest: Sequence[Encoded], condenser: "Condenser") -> None:
        self._whole = [one.encoded for one in shown]
        self._latest = list(latest)
        self._condensed = condenser.condense(shown)
        self._frames: dict[tuple[str, bool, bool, bool], Frame] = {}

    def frame(self, codec: Codec, *, whole: bool, with_latest: bool = True, folded: bool = False) -> Frame:
        """The frame of one way of looking: everything or not, with the latest states or not, folded in any case."""
        name = (codec.name, whole, with_latest, folded)
        frame = self._frames.get(name)
        if frame is None:
            events = self._whole if whole else self._condensed.view(folded)
            messages = [*events, *self._latest] if with_latest else events
            frame = self._frames[name] = codec.frame([message.to(codec) for message in messages])
        return frame


class Condensed:
    """A tick's events as viewers are shown them: large ones alone, small ones merged or folded."""

    def __init__(self, renderer: Renderer, alone: list[Shown], small: list[Shown], groups: list[list[Shown]]) -> None:
        self._renderer, self._alone, self._small, self._groups = renderer, alone, small, groups
        self.folded = len(groups) > FOLD_FROM
        self._views: dict[bool, list[Encoded]] = {}

    def leave_out(self, offsets: Collection[int]) -> None:
        """Do not tell viewers these."""
        if offsets:
            self._alone = [one for one in self._alone if one.offset not in offsets]

    def view(self, folded: bool) -> list[Encoded]:
        """The messages, by the offset of the last event in each; `folded`: however few small ones there are."""
        folded = folded or self.folded
        view = self._views.get(folded)
        if view is None:
            messages = [(one.offset, one.encoded) for one in self._alone]
            if folded and self._small:
                push = self._renderer.fold([one.push for one in self._small])
                messages.append((self._small[-1].offset, Encoded(push)))
            elif not folded:
                messages += [(group[-1].offset, self._merged(group)) for group in self._groups]
            messages.sort(key=lambda message: message[0])
            view = self._views[folded] = [encoded for _, encoded in messages]
        return view

    def _merged(self, group: list[Shown]) -> Encoded:
        if len(group) == 1:
            return group[0].encoded
        return Encoded(self._renderer.merge([one.push for one in group]))


class Condenser:
    """Sorts a room's ticks for its viewers, who are not told the end of a combo of which they saw only sums."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer
        self._unseen: dict[str, None] = {}

    def condense(self, shown: Sequence[Shown]) -> Condensed:
        """What viewers are shown of a tick."""
        small = [one for one in shown if one.key is not None]
        groups: dict[Hashable, list[Shown]] = {}
        for one in small:
            groups.setdefault(one.key, []).append(one)
        ends = [one for one in shown if one.record.kind == COMBO_ENDED]
        condensed = Condensed(self._renderer, [one for one in shown if one.key is None], small, list(groups.values()))
        if condensed.folded or self._unseen:
            self._note(small, seen=not condensed.folded)
            for one in shown:
                if one.key is None and one.record.kind != COMBO_ENDED:
                    self._unseen.pop(one.record.combo, None)
            unseen = {one.offset for one in ends if self._unseen.pop(one.record.combo, "") is None}
            condensed.leave_out(unseen)
        return condensed

    def _note(self, small: list[Shown], *, seen: bool) -> None:
        for one in small:
            combo = one.record.combo
            if seen:
                self._unseen.pop(combo, None)
            elif combo.endswith(f"-{one.offset}"):  # a combo is named after its first event
                self._unseen[combo] = None
        while len(self._unseen) > COMBOS_MAX:
            del self._unseen[next(iter(self._unseen))]

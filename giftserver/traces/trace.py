"""Reads a recorded trace: the gift frames of one live room as a client received them, in arrival order.

A frame carries the cumulative count of its streak (one sender's combo of one gift), not an increase. So the truth of a
streak is the maximum of its `streak_quantity`; frames arrive out of order, and a streak's end is often missing.
"""

import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

BUNDLED: Final = ("window-a", "window-b", "window-c")
"""Traces that come with the package."""

FILE_BYTES_MAX: Final = 64 * 1024 * 1024
EVENTS_MAX: Final = 200_000
QUANTITY_MAX: Final = 9_999
PRICE_MAX_COINS: Final = 1_000_000

Number = Annotated[int, Meta(ge=1, le=10**9)]
Millis = Annotated[int, Meta(ge=0, le=10**12)]


class TraceError(ValueError):
    """The trace cannot be used. Says which file, which event (counted from 1), which field, and what is wrong."""

    def __init__(self, file: str, event: int | None, field: str | None, problem: str) -> None:
        self.file, self.event, self.field = file, event, field
        where = [file]
        if event is not None:
            where.append(f"event {event}")
        if field is not None:
            where.append(f"field {field!r}")
        super().__init__(f"{', '.join(where)}: {problem}.")


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """One frame: when it came and was made (ms from the trace's start), and what its streak had come to."""

    arrived_ms: Millis
    created_ms: Millis
    streak: Number
    sender: Number
    gift: Number
    price_coins: Annotated[int, Meta(ge=1, le=PRICE_MAX_COINS)]
    streak_quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]
    streak_end: bool


class _File(msgspec.Struct, frozen=True, kw_only=True):
    trace: Annotated[str, Meta(min_length=1, max_length=200)]
    about: str
    frames: int
    senders: int
    streaks: int
    true_coins: int
    events: Annotated[list[Frame], Meta(min_length=1, max_length=EVENTS_MAX)]


@dataclass(frozen=True, slots=True)
class Tap:
    """One gift as its sender gave it: `quantity` is the streak's increase, at `at_ms` from the trace's start."""

    at_ms: int
    streak: int
    sender: int
    gift: int
    price_coins: int
    quantity: int


@dataclass(frozen=True, slots=True)
class Trace:
    """A checked trace. Sums are coins."""

    name: str
    frames: tuple[Frame, ...]

    @property
    def taps(self) -> list[Tap]:
        """For each frame in order the increase of its streak's maximum, if any. Their sum is the truth."""
        best: dict[int, int] = {}
        found = []
        for frame in self.frames:
            more = frame.streak_quantity - best.get(frame.streak, 0)
            if more > 0:
                best[frame.streak] = frame.streak_quantity
                found.append(Tap(frame.arrived_ms, frame.streak, frame.sender, frame.gift, frame.price_coins, more))
        return found

    @property
    def true_coins(self) -> int:
        """What was really given: each streak's maximum times its price."""
        best: dict[int, int] = {}
        for frame in self.frames:
            best[frame.streak] = max(best.get(frame.streak, 0), frame.streak_quantity * frame.price_coins)
        return sum(best.values())

    @property
    def naive_coins(self) -> int:
        """What a client counts that adds up every frame."""
        return sum(frame.streak_quantity * frame.price_coins for frame in self.frames)

    @property
    def ended_coins(self) -> int:
        """What a client counts that waits for each streak's end."""
        ended = {f.streak: f.streak_quantity * f.price_coins for f in self.frames if f.streak_end}
        return sum(ended.values())

    @property
    def senders(self) -> list[int]:
        """Numbers of the recorded senders, in order of appearance."""
        return list(dict.fromkeys(frame.sender for frame in self.frames))

    @property
    def streaks(self) -> int:
        """How many streaks there are."""
        return len({frame.streak for frame in self.frames})

    @property
    def length_ms(self) -> int:
        """When the last frame came."""
        return self.frames[-1].arrived_ms


def load_trace(file: str | Path) -> Trace:
    """The trace in a file, or the bundled one of that name. Raises TraceError."""
    name = str(file)
    if name in BUNDLED:
        return parse_trace((files("giftserver.traces") / f"{name}.json").read_bytes(), name)
    try:
        with Path(file).open("rb") as opened:
            data = opened.read(FILE_BYTES_MAX + 1)
    except OSError as problem:
        hint = (
            f" (the traces that come along are {', '.join(BUNDLED)})" if isinstance(problem, FileNotFoundError) else ""
        )
        raise TraceError(name, None, None, f"cannot be read: {problem.strerror}{hint}") from problem
    if len(data) > FILE_BYTES_MAX:
        raise TraceError(name, None, None, f"is longer than {FILE_BYTES_MAX} bytes")
    return parse_trace(data, name)


def parse_trace(data: bytes, file: str) -> Trace:
    """The trace in these JSON bytes; `file` is the name used in errors. Raises TraceError."""
    try:
        read = msgspec.json.decode(data, type=_File, strict=True)
    except msgspec.ValidationError as problem:
        raise _explained(file, str(problem)) from problem
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
        raise TraceError(file, None, None, f"is not a JSON trace ({problem})") from problem
    _check_order(file, read.events)
    trace = Trace(read.trace, tuple(read.events))
    found: dict[str, tuple[int, int]] = {
        "frames": (read.frames, len(read.events)),
        "senders": (read.senders, len(trace.senders)),
        "streaks": (read.streaks, trace.streaks),
        "true_coins": (read.true_coins, trace.true_coins),
    }
    for field, (said, counted) in found.items():
        if said != counted:
            raise TraceError(file, None, field, f"says {said}, the events give {counted}")
    return trace


def _check_order(file: str, events: list[Frame]) -> None:
    """Frames come in order of arrival, and a streak keeps its sender, gift and price."""
    streaks: dict[int, Frame] = {}
    before_ms = 0
    for number, frame in enumerate(events, start=1):
        if frame.arrived_ms < before_ms:
            raise TraceError(
                file, number, "arrived_ms", f"is {frame.arrived_ms}, after {before_ms} of the event before"
            )
        before_ms = frame.arrived_ms
        first = streaks.setdefault(frame.streak, frame)
        for field in ("sender", "gift", "price_coins"):
            now, then = getattr(frame, field), getattr(first, field)
            if now != then:
                raise TraceError(file, number, field, f"is {now}, but streak {frame.streak} began with {then}")


def _explained(file: str, message: str) -> TraceError:
    """msgspec says `<problem> - at `$.events[3].price_coins``; a missing field is named in the problem."""
    problem, _, path = message.partition(" - at `$")
    at: Any = re.match(r"(?:\.events\[(\d+)\])?\.?(\w+)?", path.rstrip("`"))
    missing = re.search(r"field `(\w+)`", problem)
    field = missing.group(1) if missing else at.group(2)
    return TraceError(file, int(at.group(1)) + 1 if at.group(1) else None, field, problem[0].lower() + problem[1:])

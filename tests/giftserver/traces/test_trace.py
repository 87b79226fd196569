"""Reading recorded traces: what they say, and how a wrong one is named."""

import json
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from giftserver.traces.trace import BUNDLED, TraceError, load_trace, parse_trace

Change = Callable[[dict[str, Any]], object]


def raw(name: str = "window-a") -> dict[str, Any]:
    """A bundled trace as JSON."""
    found: dict[str, Any] = json.loads((files("giftserver.traces") / f"{name}.json").read_bytes())
    return found


def write(change: Change) -> bytes:
    """A bundled trace with one change."""
    trace = raw()
    change(trace)
    return json.dumps(trace).encode()


@pytest.mark.parametrize(
    ("name", "true_coins", "taps"), [("window-a", 53, 18), ("window-b", 37, 18), ("window-c", 23, 19)]
)
def test_taps_sum_to_the_truth(name: str, true_coins: int, taps: int) -> None:
    """Sending each increase of a streak's maximum gives exactly the streak's truth."""
    trace = load_trace(name)
    assert trace.true_coins == true_coins
    assert len(trace.taps) == taps
    assert sum(tap.quantity * tap.price_coins for tap in trace.taps) == true_coins


@pytest.mark.parametrize(("name", "naive", "ended"), [("window-a", 233, 1), ("window-b", 105, 13), ("window-c", 76, 9)])
def test_wrong_ways_to_count(name: str, naive: int, ended: int) -> None:
    """Adding up frames counts too much, waiting for the end too little: figures of the files themselves."""
    events = raw(name)["events"]
    assert naive == sum(event["streak_quantity"] * event["price_coins"] for event in events)
    assert ended == sum(event["streak_quantity"] * event["price_coins"] for event in events if event["streak_end"])
    trace = load_trace(name)
    assert (trace.naive_coins, trace.ended_coins) == (naive, ended)
    assert ended < trace.true_coins < naive


def test_taps_keep_time_and_sender() -> None:
    """A tap comes when its frame came, from the frame's sender; a late smaller count is no tap."""
    taps = load_trace("window-a").taps
    assert [tap.at_ms for tap in taps] == sorted(tap.at_ms for tap in taps)
    second = [tap for tap in taps if tap.streak == 2]
    assert [tap.quantity for tap in second[:3]] == [13, 2, 2]  # 14 and 16 came after 15 and 17
    assert {tap.sender for tap in second} == {2}


def test_every_bundled_trace_is_read() -> None:
    """The traces that come along are whole."""
    assert [load_trace(name).name for name in BUNDLED] == list(BUNDLED)


def event(number: int, **fields: Any) -> Change:
    """Change fields of one event, counted from 1."""
    return lambda trace: trace["events"][number - 1].update(fields)


@pytest.mark.parametrize(
    ("change", "number", "field", "words"),
    [
        (lambda t: t["events"][3].pop("gift"), 4, "gift", "missing"),
        (lambda t: t.pop("true_coins"), None, "true_coins", "missing"),
        (lambda t: t.update(events=[]), None, "events", ">= 1"),
        (lambda t: t.update(events={}), None, "events", "array"),
        (lambda t: t["events"].__setitem__(2, 7), 3, None, "object"),
        (lambda t: t.update(frames=20), None, "frames", "says 20, the events give 21"),
        (lambda t: t.update(senders=9), None, "senders", "says 9, the events give 8"),
        (lambda t: t.update(streaks=1), None, "streaks", "says 1, the events give 9"),
        (lambda t: t.update(true_coins=54), None, "true_coins", "says 54, the events give 53"),
        (event(4, price_coins=0), 4, "price_coins", ">= 1"),
        (event(4, price_coins=1_000_001), 4, "price_coins", "<="),
        (event(4, price_coins=True), 4, "price_coins", "bool"),
        (event(4, streak_quantity="4"), 4, "streak_quantity", "str"),
        (event(4, streak_quantity=-1), 4, "streak_quantity", ">= 1"),
        (event(4, streak_quantity=10_000), 4, "streak_quantity", "<= 9999"),
        (event(4, arrived_ms=1.5), 4, "arrived_ms", "float"),
        (event(4, arrived_ms=2**63), 4, "arrived_ms", "<="),
        (event(4, arrived_ms=1), 4, "arrived_ms", "after 48"),
        (event(4, streak_end="no"), 4, "streak_end", "bool"),
        (event(4, sender=9), 4, "sender", "began with 2"),
        (event(4, gift=9), 4, "gift", "began with 3"),
        (event(4, price_coins=5), 4, "price_coins", "began with 1"),
    ],
)
def test_a_wrong_trace_names_event_and_field(change: Change, number: int | None, field: str | None, words: str) -> None:
    """Every mistake is named with its file, its event and its field."""
    with pytest.raises(TraceError, match=words) as caught:
        parse_trace(write(change), "mine.json")
    assert (caught.value.file, caught.value.event, caught.value.field) == ("mine.json", number, field)
    assert str(caught.value).startswith("mine.json, ")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"null", b"[1]"])
def test_what_is_no_trace_at_all(data: bytes) -> None:
    """Anything but a JSON trace is refused with the file's name, never with a traceback."""
    with pytest.raises(TraceError, match=r"^mine\.json: "):
        parse_trace(data, "mine.json")


def test_files(tmp_path: Path) -> None:
    """A trace is read from any file; one that is not there or is a folder is named."""
    mine = tmp_path / "mine.json"
    mine.write_bytes(write(lambda trace: trace.update(trace="mine")))
    assert load_trace(mine).name == "mine"
    with pytest.raises(TraceError, match=r"cannot be read: No such file.*window-a"):
        load_trace(tmp_path / "other.json")
    with pytest.raises(TraceError, match="cannot be read: Is a directory"):
        load_trace(tmp_path)

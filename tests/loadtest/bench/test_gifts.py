"""The gift path's benchmark in small: every case on a real giftserver, and what it would say were something wrong."""

import itertools
import json
import time
from pathlib import Path

import msgpack
import msgspec
import pytest
from click.testing import CliRunner

from giftserver.gifts.messages import SendGift
from giftserver.gifts.service import time_of_key
from loadtest.bench import gifts, gifts_cases
from loadtest.bench.figures import Measured
from loadtest.bench.gifts import Results, cases, rules
from loadtest.bench.gifts_cases import LARGE, MARKED, SMALL
from loadtest.bench.givers import Keys, Kind
from loadtest.bench.shown import Shown
from loadtest.frames import Messages


@pytest.mark.parametrize("kind", [SMALL, MARKED, LARGE])
def test_gifts_are_commands_that_the_server_takes(kind: Kind) -> None:
    """Whatever is filled in: number, key and the time of a mark."""
    now_ns = time.time_ns()
    [key] = Keys().some(1)
    frame = kind.frame(123_456, key, now_ns)
    unmasked = frame[:1] + bytes((frame[1] & 0x7F,)) + frame[6:]
    [payload] = Messages().of(unmasked)
    command = msgspec.msgpack.decode(payload, type=SendGift)
    assert (command.id, command.key) == (123_456, key.decode())
    assert command.note == (f"@T={now_ns}" if kind.marked else "")


def test_keys_are_uuids_of_now_and_never_the_same() -> None:
    """Over calls, and as the server reads them."""
    keys = Keys()
    made = [key.decode() for key in itertools.chain(keys.some(1_000), keys.some(1_000))]
    assert len(set(made)) == 2_000
    key_ms = time_of_key(made[-1])
    assert key_ms is not None
    assert abs(key_ms - time.time() * 1_000) < 60_000


def frame(*messages: dict[str, object]) -> bytes:
    """A frame of the server."""
    payload = msgpack.packb(list(messages))
    return b"\x82\x7e" + len(payload).to_bytes(2, "big") + payload


def test_a_viewers_sums_are_those_of_everything_shown() -> None:
    """Gifts by themselves, merged and folded; large ones by their transfers; nothing twice after a new beginning."""
    shown = Shown()
    gift = {"type": "gift", "quantity": 1, "coins": 100, "transfer": "a"}
    merged = {"type": "gift", "quantity": 150, "coins": 150, "transfer": "b"}
    folded = {"type": "gifts_folded", "items": [{"quantity": 3, "coins": 3}, {"quantity": 2, "coins": 10}]}
    shown.read(frame(gift, {"type": "viewers", "count": 1}) + frame(merged, folded))
    assert (shown.quantity, shown.coins, shown.folds, shown.large) == (156, 263, 1, ["a"])
    shown.begin()
    assert (shown.quantity, shown.coins, shown.folds, shown.large) == (0, 0, 0, [])


def good() -> Results:
    """Two rounds in which every rule holds."""
    values = {"acked_per_s": [21_000.0, 20_000.0], "shown_per_s": [12_500.0, 12_000.0], "ack_p99_ms": [20.0, 25.0]}
    chosen = cases(1_000)
    return Results({case.name: Measured(case.name, dict(values)) for case in chosen}, gifts=5, proofs=2)


def failing(results: Results) -> list[str]:
    """Rules that do not hold."""
    return [rule.text for rule in rules(results, cases(1_000)) if rule.holds is not True]


def test_every_rule_has_a_figure_that_fails_it() -> None:
    """Speed, lag at half of it, and a single coin that is not where it belongs."""
    assert failing(good()) == []
    names = [case.name for case in cases(1_000)]
    for name, metric, value, rule in (
        (names[0], "acked_per_s", 19_000.0, "gifts acknowledged"),
        (names[1], "ack_p99_ms", 26.0, "ack p99, no viewers"),
        (names[2], "shown_per_s", 11_900.0, "gifts shown"),
        (names[2], "acked_per_s", 11_900.0, "gifts shown"),
        (names[3], "ack_p99_ms", 26.0, "ack p99, 1,000 viewers"),
    ):
        results = good()
        results.measured[name].values[metric] = [value]
        results.measured[name].values |= {other: values[:1] for other, values in results.measured[name].values.items()}
        [failed] = failing(results)
        assert failed.startswith(rule)
    results = good()
    results.wrong.append("viewer 3 was shown too much")
    assert failing(results) == [
        "every gift was acknowledged, is in the ledger once, and was shown to all; verify is clean"
    ]


def test_it_measures_proves_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every case in small; every gift is shown to everybody and booked, and verify is clean."""
    monkeypatch.setattr(gifts_cases, "WARM_S", 0.2)
    monkeypatch.setattr(gifts, "ACKED_PER_S", 400)
    monkeypatch.setattr(gifts, "SHOWN_PER_S", 200)
    monkeypatch.setattr(gifts, "FOLDED_PER_S", 500)
    options = ["--rounds", "1", "--seconds", "0.3", "--viewers", "20", "--window", "1", "--out", str(tmp_path)]
    done = CliRunner().invoke(gifts.main, options)
    assert "HOLDS         every gift was acknowledged, is in the ledger once" in done.output, done.output
    written = json.loads((tmp_path / "gifts.json").read_text())
    measured = written["rows"]["a"]["cases"]
    assert len(measured) == 5
    assert all(case["acked_per_s"]["median"] > 0 for case in measured.values())
    assert all(case["shown_per_s"]["median"] > 0 for name, case in measured.items() if "20 viewers" in name)

"""The table, the JSON and the picture."""

import json
import sys
from pathlib import Path

import pytest

from loadtest.bench.figures import Figure, Measured, Row
from loadtest.bench.ledger import show
from loadtest.bench.machine import machine
from loadtest.bench.plot import colour
from loadtest.bench.report import headline, table, write_json

ROW = Row(
    "a",
    "A title",
    [
        Measured("all shards: ours", {"gifts_per_s": [30_000.0, 33_000.0, 27_000.0], "p99_ms": [3.0, 4.0, 5.0]}),
        Measured("all shards: prepared", {"gifts_per_s": [40_000.0, 41_000.0, 42_000.0]}),
    ],
    [Figure("ours / limit", [0.75, 0.8, 0.64]), Figure("catch-up", [float("inf")], "s", "≤ 60")],
    ["What a reader must know."],
)


def test_a_table_has_medians_with_their_spread() -> None:
    """Cases first, then figures with targets, then notes; a metric that a case lacks stays empty."""
    lines = table(ROW).splitlines()
    assert lines[0] == "a. A title"
    assert lines[2].split() == ["case", "gifts_per_s", "p99_ms"]
    assert lines[3].split() == ["all", "shards:", "ours", "30,000", "±10%", "4.00", "±25%"]
    assert lines[4].split() == ["all", "shards:", "prepared", "41,000", "±2%"]
    assert len({line.index("0 ±") for line in lines[3:4]}) == 1
    assert "ours / limit" in lines[7]
    assert "0.75 [0.64 … 0.80]" in lines[7]
    assert lines[8].split()[-2:] == ["≤", "60"]
    assert lines[-1] == "  What a reader must know."
    assert "a  ours / limit: 0.75" in headline([ROW])


def test_the_json_holds_every_round(tmp_path: Path) -> None:
    """Programs get the values, and no number that JSON does not have."""
    write_json(tmp_path / "deep" / "ledger.json", {"cpu": "some"}, [ROW])
    found = json.loads((tmp_path / "deep" / "ledger.json").read_text())
    assert found["facts"] == {"cpu": "some"}
    case = found["rows"]["a"]["cases"]["all shards: ours"]
    assert case["gifts_per_s"] == {"median": 30000, "low": 27000, "high": 33000, "rounds": [30000, 33000, 27000]}
    assert found["rows"]["a"]["figures"]["catch-up"]["median"] == "never"


def test_a_missing_matplotlib_costs_the_picture_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The report and the JSON come all the same, and a sentence says how to get the picture."""
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    facts = {"cpu": "some", "cores": 2, "ledger_engine": "valkey", "appendfsync": "always", "rounds": 3}
    show(facts, [ROW], tmp_path)
    said = capsys.readouterr().out
    assert "No picture" in said
    assert "A title" in said
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.json"]


def test_the_other_side_has_another_colour() -> None:
    """Ours and what it is held against are told apart."""
    ours, other = ROW.cases
    assert colour(ours) != colour(other)


def test_the_head_names_the_machine(tmp_path: Path) -> None:
    """A number without its processor, its versions and its disk says little."""
    facts = machine(tmp_path)
    assert {"cpu", "cores", "python", "redis", "asyncpg", "data_filesystem", "fsync_ms", "load_before"} <= set(facts)
    assert facts["fsync_ms"] >= 0
    assert facts["redis"] != "not installed"
    assert list(tmp_path.iterdir()) == []

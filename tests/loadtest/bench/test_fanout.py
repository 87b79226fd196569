"""The fan-out benchmark: every side that this machine has delivers everything, and what is too much is given up."""

import json
import os
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from loadtest.bench import fanout, fanout_load
from loadtest.bench.fanout_load import AS_FAST, Outcome, measure
from loadtest.bench.fanout_plan import MANY, MANY_RATE, QUICK, RATES, Results, Spot, chosen, full, sides_of
from loadtest.bench.fanout_rules import rules
from loadtest.bench.publisher import MESSAGE_BYTES, Publisher, SocketIoPublisher
from loadtest.bench.sides import AWAIT_LOOP, C_MERGED, OURS, OURS_NO_TICK, SIDES, UWS, Side, Sides

PEERS = Path(os.environ.get("FANOUT_PEERS", "nowhere"))
"""Folder with the npm packages of other servers, where they are to be tested too."""


def named(name: str) -> Side:
    """A side by its name."""
    return next(side for side in SIDES if side.name == name)


@pytest.mark.parametrize("kind", [Publisher, SocketIoPublisher])
def test_messages_have_their_size_and_time(kind: type[Publisher]) -> None:
    """As long as they say, and stamped with the moment."""
    before_ns = time.time_ns()
    made = kind("127.0.0.1", 1).message()
    body = made[made.index(b"@T=") :]
    assert len(body.rstrip(b'"]')) == MESSAGE_BYTES
    assert before_ns <= int(body[3:22]) <= time.time_ns()


@pytest.mark.parametrize("side", SIDES, ids=lambda side: side.name)
async def test_every_side_delivers_everything(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a rate that none is overwhelmed by."""
    monkeypatch.setattr(fanout_load, "WARM_S", 0.1)
    with Sides(PEERS, None) as sides:
        if needed := sides.missing(side):
            pytest.skip(needed)
        outcomes = await measure(sides, side, 20, [100], 0.3)
    outcome = outcomes[100]
    assert not isinstance(outcome, str), outcome
    assert outcome["missing"] == 0
    assert outcome["k_per_s"] > 0


async def test_what_is_too_much_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A side that falls behind does not hold up the run, and greater loads are not tried."""
    monkeypatch.setattr(fanout_load, "BEHIND_S", 0.05)
    with Sides(None, None) as sides:
        started_s = time.monotonic()
        outcomes = await measure(sides, named(AWAIT_LOOP), 300, [20_000, 40_000], 30.0)
    assert time.monotonic() - started_s < 10
    assert str(outcomes[20_000]).startswith("not carried")
    assert str(outcomes[40_000]).endswith("at 20000/s already")


async def test_a_side_that_does_not_start_is_told_of() -> None:
    """A broken server is a sentence in the result, not the end of the run."""
    with Sides(None, None) as sides:
        outcomes = await measure(sides, Side("broken", ("false",)), 10, [AS_FAST, 50], 1.0)
    assert set(outcomes) == {AS_FAST, 50}
    assert all("did not start" in str(outcome) for outcome in outcomes.values())


def test_what_is_missing_is_said_with_what_to_install(tmp_path: Path) -> None:
    """A side of npm names its package."""
    with Sides(tmp_path, None) as sides:
        assert "npm install" in sides.missing(named(UWS)) or "Node.js" in sides.missing(named(UWS))
        (tmp_path / "node_modules" / named(UWS).npm).mkdir(parents=True)
        assert sides.missing(named(UWS)) in ("", "install Node.js")


def test_the_plans_hold_what_the_rules_ask_for() -> None:
    """The full plan has every side and the rate of fifteen thousand; the quick one the sides of the rules."""
    assert {side.name for side in sides_of(QUICK)} == {OURS, OURS_NO_TICK, UWS, C_MERGED, AWAIT_LOOP}
    plan = full((1_000, MANY), RATES)
    assert sides_of(plan) == list(SIDES)
    assert MANY_RATE in plan[MANY][OURS]
    assert list(chosen(QUICK, [UWS])) == [1_000, 5_000]


def outcome(k_per_cpu_s: float, p99_ms: float = 5.0, share: float = 0.3, missing: float = 0) -> Outcome:
    """What one spot showed."""
    return {"k_per_cpu_s": k_per_cpu_s, "p99_ms": p99_ms, "share": share, "missing": missing}


def good() -> dict[Spot, Outcome]:
    """A round in which every rule holds."""
    found: dict[Spot, Outcome] = {}
    for viewers in (1_000, 5_000):
        for side, k_per_cpu_s in (
            (OURS, 900.0),
            (OURS_NO_TICK, 1_000),
            (UWS, 1_000),
            (C_MERGED, 1_100),
            (AWAIT_LOOP, 40),
        ):
            found |= {Spot(side, viewers, load): outcome(k_per_cpu_s) for load in RATES}
    return found | {Spot(OURS, MANY, MANY_RATE): outcome(900.0, p99_ms=100.0)}


def failing(results: Results) -> list[str]:
    """The rules that do not hold."""
    return [rule.text for rule in rules(results) if rule.holds is not True]


def test_every_rule_holds_where_everything_is_good() -> None:
    """And each is judged."""
    assert failing(Results([good(), good()])) == []


@pytest.mark.parametrize(
    ("spot", "changed", "rule"),
    [
        (Spot(OURS_NO_TICK, 1_000, AS_FAST), outcome(990.0), "1,000 viewers, window"),
        (Spot(C_MERGED, 5_000, AS_FAST), outcome(1_180.0), "5,000 viewers, window"),
        (Spot(AWAIT_LOOP, 5_000, AS_FAST), outcome(51.0), "5,000 viewers, window"),
        (Spot(OURS_NO_TICK, 5_000, 50), outcome(1_000.0, p99_ms=5.1), "5,000 viewers, 50/s: p99"),
        (Spot(OURS_NO_TICK, 1_000, 200), "not carried", "1,000 viewers, 200/s: p99"),
        (Spot(OURS, 1_000, 1_000), outcome(900.0, share=0.41), "1,000 viewers, 1,000/s, ours: share"),
        (Spot(OURS, 1_000, 1_000), outcome(900.0, p99_ms=51.0), "1,000 viewers, 1,000/s, ours: p99"),
        (Spot(OURS, MANY, MANY_RATE), outcome(900.0, p99_ms=251.0), "15,000 viewers, 100/s, ours: p99"),
        (Spot(OURS, 1_000, 50), outcome(900.0, missing=1), "ours and ours, no tick: deliveries missing"),
    ],
)  # fmt: skip
def test_a_rule_fails_by_its_own_figure(spot: Spot, changed: Outcome, rule: str) -> None:
    """A little too little, and the rule that says so fails, and no other."""
    [failed] = failing(Results([good() | {spot: changed}]))
    assert failed.startswith(rule)


def test_ratios_are_taken_within_a_round() -> None:
    """A slow round slows both sides; a round that one of them did not carry has no ratio."""
    slow = {spot: outcome(100.0) for spot in good()}
    ours, other = Spot(OURS_NO_TICK, 1_000, AS_FAST), Spot(UWS, 1_000, AS_FAST)
    results = Results([good(), slow, good() | {other: "not carried"}])
    assert results.ratios(ours, other, "k_per_cpu_s") == [1.0, 1.0]
    assert results.carried(other)
    assert not Results([{other: "not carried"}]).carried(other)


def test_it_measures_prints_and_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables with ratios, rules with verdicts, JSON; the exit status says that not every rule was measured."""
    monkeypatch.setattr(fanout_load, "WARM_S", 0.1)
    options = ["--viewers", "20", "--rate", "0", "--rate", "50", "--rounds", "1", "--seconds", "0.2"]
    sides = ["--side", OURS, "--side", "websockets.broadcast", "--side", UWS]
    done = CliRunner().invoke(fanout.main, [*options, *sides, "--out", str(tmp_path)])
    assert done.exit_code == 3, done.output
    assert f"{UWS} is left out: `npm install" in done.output or f"{UWS} is left out: install Node.js" in done.output
    assert "a. 20 viewers, a window of 32 messages" in done.output
    assert "deliveries per CPU-second, ours / websockets.broadcast" in done.output
    assert "NOT MEASURED  1,000 viewers, window" in done.output
    written = json.loads((tmp_path / "fanout.json").read_text())
    assert len(written["rows"]["b"]["cases"][OURS]["p99_ms"]["rounds"]) == 1
    assert {rule["verdict"] for rule in written["rules"]} == {"NOT MEASURED", "HOLDS"}

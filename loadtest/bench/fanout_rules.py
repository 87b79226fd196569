"""What the fan-out must reach, against the other sides of the same run and in figures of its own.

In the window, where every side goes as fast as its viewers are shown, `ours, no tick` stands for us; at fixed rates it
is `ours`, with the tick a server has. The one exception are the lags beside uWebSockets.js, which has no tick: that
rule is about the side that is held against it in the window, and says what the tick makes of it.
"""

from typing import Final

from loadtest.bench.fanout_load import AS_FAST
from loadtest.bench.fanout_plan import MANY, MANY_RATE, RATES, ROOM, ROOM_RATE, RULED, Results, Spot
from loadtest.bench.figures import short, spread
from loadtest.bench.rules import Rule, at_least, at_most
from loadtest.bench.sides import AWAIT_LOOP, C_MERGED, OURS, OURS_NO_TICK, UWS

STATED: Final = (
    f"Rules: in the window `{OURS_NO_TICK}` stands for us, at fixed rates `{OURS}`; lags beside {UWS} are those of "
    f"`{OURS_NO_TICK}`. Ratios are medians of ratios within a round, with their range."
)
AGAINST: Final = ((UWS, 1.0), (C_MERGED, 0.85), (AWAIT_LOOP, 20.0))
"""Sides, and how many times their deliveries per CPU-second we make at least."""

ROOM_SHARE, ROOM_P99_MS, MANY_P99_MS = 0.4, 50.0, 250.0


def rules(results: Results) -> list[Rule]:
    """Every rule, with what was measured."""
    found = [
        at_least(
            f"{viewers:,} viewers, window: deliveries per CPU-second, {OURS_NO_TICK} / {other}",
            results.ratios(Spot(OURS_NO_TICK, viewers, AS_FAST), Spot(other, viewers, AS_FAST), "k_per_cpu_s"),
            bound, " ×",
        )
        for viewers in RULED
        for other, bound in AGAINST
    ]  # fmt: skip
    found += [rule for viewers in RULED for rule in equal_rates(results, viewers)]
    room, many = Spot(OURS, ROOM, ROOM_RATE), Spot(OURS, MANY, MANY_RATE)
    found += [
        own(results, room, "share", "share of a core", ROOM_SHARE, ""),
        own(results, room, "p99_ms", "p99", ROOM_P99_MS, " ms"),
        own(results, many, "p99_ms", "p99", MANY_P99_MS, " ms"),
        nothing_missing(results),
    ]
    return found


def equal_rates(results: Results, viewers: int) -> list[Rule]:
    """We are no later than uWebSockets.js at every rate that one of us carries."""
    found = [equal_rate(results, viewers, rate) for rate in RATES if rate != AS_FAST]
    judged = [rule for rule in found if rule is not None]
    return judged or [Rule(f"{viewers:,} viewers: p99 of {OURS_NO_TICK} / p99 of {UWS} ≤ 1 ×", "not measured", None)]


def equal_rate(results: Results, viewers: int, rate: int) -> Rule | None:
    """The rule at one rate; None where neither carries it."""
    ours, tick, other = (Spot(side, viewers, rate) for side in (OURS_NO_TICK, OURS, UWS))
    text = f"{viewers:,} viewers, {rate:,}/s: p99 of {OURS_NO_TICK} / p99 of {UWS}"
    said = ", ".join(f"{spot.side} {p99_of(results, spot)}" for spot in (ours, tick, other))
    if not (results.outcomes(ours) and results.outcomes(other)):
        return None
    match results.carried(ours), results.carried(other):
        case True, True:
            return at_most(text, results.ratios(ours, other, "p99_ms"), 1.0, " ×", said)
        case False, False:
            return None
        case carried, _:
            return Rule(f"{text} ≤ 1 ×", said, carried)


def own(results: Results, spot: Spot, metric: str, name: str, bound: float, unit: str) -> Rule:
    """A figure of ours at a fixed rate; a load that is not carried fails its rule."""
    text = f"{spot.viewers:,} viewers, {spot.load:,}/s, {spot.side}: {name}"
    if results.outcomes(spot) and not results.carried(spot):
        return Rule(f"{text} ≤ {short(bound)}{unit}", p99_of(results, spot), False)
    return at_most(text, results.values(spot, metric), bound, unit)


def nothing_missing(results: Results) -> Rule:
    """Whatever we were given, every viewer was shown."""
    text = f"{OURS} and {OURS_NO_TICK}: deliveries missing in any round = 0"
    spots = {spot for outcomes in results.rounds for spot in outcomes if spot.side in (OURS, OURS_NO_TICK)}
    missing = [value for spot in spots for value in results.values(spot, "missing")]
    return Rule(text, f"{sum(missing):,.0f} in {len(missing)} measurements", not any(missing) if missing else None)


def p99_of(results: Results, spot: Spot) -> str:
    """The median p99 and its range, or why there is none."""
    values = results.values(spot, "p99_ms")
    if results.carried(spot):
        return f"{spread(values)} ms"
    return next((why for why in results.outcomes(spot) if isinstance(why, str)), "not measured")

"""Rules of a benchmark: figures, verdicts, exit status."""

import pytest

from loadtest.bench.rules import Rule, as_json, at_least, at_most, exit_status


def test_a_rule_is_judged_by_the_median_of_the_rounds() -> None:
    """One bad round does not fail it, and is in the range that is printed."""
    rule = at_least("speed", [1.0, 3.0, 0.5], 1.0, " ×", "beside it")
    assert rule.holds
    assert str(rule) == "HOLDS         speed ≥ 1.00 ×: 1.00 [0.50 … 3.00] × in 3 rounds; beside it"
    assert at_least("speed", [0.99], 1.0).holds is False
    assert at_most("lag", [50.0], 50.0, " ms").holds is True
    assert at_most("lag", [50.1], 50.0, " ms").holds is False
    assert at_most("lag", [], 50.0).holds is None


@pytest.mark.parametrize(
    ("verdicts", "status"), [([True, True], 0), ([True, False, None], 1), ([True, None], 3), ([], 0)]
)
def test_the_exit_status_says_whether_all_hold(verdicts: list[bool | None], status: int) -> None:
    """A failure before what was not measured."""
    assert exit_status([Rule("a", "b", verdict) for verdict in verdicts]) == status


def test_programs_get_the_verdicts_in_words() -> None:
    """What is printed is what is written."""
    assert as_json([Rule("a", "1", None)]) == [{"rule": "a", "found": "1", "verdict": "NOT MEASURED"}]

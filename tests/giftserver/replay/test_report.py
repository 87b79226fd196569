"""When a replay calls it agreement."""

from giftserver.replay.report import Report, Row
from giftserver.traces.trace import load_trace


def report(*coins: int | None) -> Report:
    """A report on window-a, whose truth is 53 coins, with these witnesses."""
    return Report(load_trace("window-a"), [Row(f"witness {n}", count) for n, count in enumerate(coins)])


def test_all_must_agree() -> None:
    """One witness with another sum, or without one, is no agreement; nor is no witness at all."""
    assert report(53, 53).agreed
    assert not report(53, 54).agreed
    assert not report(53, None).agreed
    assert not report().agreed


def test_the_table_shows_who_differs() -> None:
    """Each witness has a line with its verdict, and the two wrong ways to count stand beside."""
    text = "\n".join(report(53, 233, None).text())
    assert [line.split()[2:4] for line in text.splitlines() if line.startswith("witness")] == [
        ["53", "agrees"],
        ["233", "DIFFERS"],
        ["?", "DIFFERS"],
    ]
    assert "4.40 times the truth" in text
    assert "0.02 times the truth" in text

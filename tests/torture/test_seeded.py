"""The list of seeded bugs stays true to the source, and what runs it does notice a bug."""

import re

import pytest

from tests.torture.seeded.bug import Bug, Edit
from tests.torture.seeded.run import BUGS, ROOT, try_bug


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_the_safeguard_is_where_the_list_says(bug: Bug) -> None:
    """A safeguard that was rewritten needs its bug rewritten too."""
    assert bug.missing(ROOT) == [], "change the bug's text in tests/torture/seeded together with the source"
    assert bug.tests
    for test in bug.tests:
        file, _, name = test.partition("::")
        assert (ROOT / file).exists(), file
        assert f"def {name}" in (ROOT / file).read_text(), f"{file} has no test {name}"


def test_every_bug_has_a_name_of_its_own() -> None:
    """And there are enough of them."""
    assert len({bug.name for bug in BUGS}) == len(BUGS) >= 20


def test_every_promise_of_the_failures_document_has_a_bug() -> None:
    """The last column of each row names bugs of the list, one at least."""
    names = {bug.name for bug in BUGS}
    lines = [line for line in (ROOT / "docs" / "failures.md").read_text().splitlines() if line.startswith("| ")]
    rows = [line.strip("| ").split(" | ") for line in lines if not line.endswith("Taken out |")]
    assert len(rows) >= 40
    for happens, *_, taken_out in rows:
        named = re.findall("`([^`]+)`", taken_out)
        assert named, happens
        assert set(named) <= names, (happens, set(named) - names)


def test_a_bug_is_caught_in_a_copy() -> None:
    """One safeguard is taken out for real: a test fails in the copy, and the tree is as before."""
    text = "    if not view.whole:\n"
    tests = ("tests/giftserver/recovery/test_verdict.py",)  # engines would only cost time here
    bug = Bug("a gap opens", (Edit("giftserver/recovery/verdict.py", text, "    if False:\n"),), tests)
    before = (ROOT / bug.edits[0].file).read_bytes()
    result = try_bug(bug)
    assert result.caught.startswith("tests/giftserver/recovery/test_verdict.py::test_each_case"), result.said
    assert (ROOT / bug.edits[0].file).read_bytes() == before


def test_what_is_not_a_bug_survives() -> None:
    """A change that breaks nothing is told from one that a test caught; so is a text that is not there."""
    harmless = Edit(
        "giftserver/ledger/scripts/send_gifts.lua", "-- A script does not roll back", "-- It never rolls back"
    )
    tests = ("tests/giftserver/recovery/test_verdict.py",)
    assert try_bug(Bug("a comment", (harmless,), tests)).caught == ""
    gone = Edit("giftserver/ledger/keys.py", "no such text")
    assert "not there exactly once" in try_bug(Bug("nothing", (gone,), tests)).said

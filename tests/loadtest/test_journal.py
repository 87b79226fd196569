"""Journals survive what happens to load generators."""

from pathlib import Path

import pytest

from loadtest.journal import Journal, JournalError, journal_files, read_journal


def test_lines_come_back(tmp_path: Path) -> None:
    """What was written is read; a line is on its way to disk at once."""
    journal = Journal(tmp_path / "folder" / "one.jsonl")
    journal.write("sent", user="ana", key="k")
    assert list(read_journal(journal.path)) == [{"kind": "sent", "user": "ana", "key": "k"}]
    journal.close()


def test_a_cut_off_line_is_left_out(tmp_path: Path) -> None:
    """A process that was killed in the middle of a line leaves the lines before it readable."""
    file = tmp_path / "one.jsonl"
    file.write_text('{"kind":"sent","key":"k"}\n{"kind":"ackn')
    assert [line["key"] for line in read_journal(file)] == ["k"]


@pytest.mark.parametrize("line", ["nonsense", "[1]", '{"kind":"other"}'])
def test_what_is_no_journal(tmp_path: Path, line: str) -> None:
    """A wrong line is named with its file and number."""
    file = tmp_path / "one.jsonl"
    file.write_text('{"kind":"run"}\n' + line + "\n")
    with pytest.raises(JournalError, match=r"one\.jsonl, line 2"):
        list(read_journal(file))


def test_no_journal(tmp_path: Path) -> None:
    """An empty folder and a file that is not there are told apart from an empty run."""
    with pytest.raises(JournalError, match="There is no journal"):
        journal_files([tmp_path])
    with pytest.raises(JournalError, match="cannot be read"):
        list(read_journal(tmp_path / "other.jsonl"))

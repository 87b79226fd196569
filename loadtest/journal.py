"""The journal of a load test: what its clients were told, line by line, so that the audit needs nobody's memory.

One file a process, one JSON object a line; a line is on its way to disk before the next step is taken.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TextIO

KINDS = frozenset({"run", "sent", "acknowledged", "refused", "unknown", "watched", "history", "process"})


class JournalError(ValueError):
    """A journal cannot be read; says where and why."""


class Journal:
    """Writes one process's lines."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        # Line buffered: a killed process loses at most the line it was writing.
        self._file: TextIO = path.open("a", buffering=1, encoding="utf-8")

    def write(self, kind: str, **fields: Any) -> None:
        """Add a line."""
        self._file.write(json.dumps({"kind": kind, **fields}, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def journal_files(places: Iterable[Path]) -> list[Path]:
    """The journals in files and folders. Raises JournalError when there is none."""
    found = []
    for place in places:
        found += sorted(place.glob("*.jsonl")) if place.is_dir() else [place]
    if not found:
        raise JournalError("There is no journal (*.jsonl): name the files or the folder of a run.")
    return found


def read_journal(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a journal; a last line without its end was never finished and is left out. Raises JournalError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise JournalError(f"{path} cannot be read: {problem.strerror}.") from problem
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if not line.endswith("\n"):
            return
        try:
            entry = json.loads(line)
        except ValueError as problem:
            raise JournalError(f"{path}, line {number}: not JSON.") from problem
        if not isinstance(entry, dict) or entry.get("kind") not in KINDS:
            raise JournalError(f"{path}, line {number}: not a line of a journal.")
        yield entry

"""A safeguard taken out on purpose, and the tests that must notice it."""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

SCRIPTS = "giftserver/ledger/scripts"
LEDGER = "tests/giftserver/ledger/test_ledger.py"
FLUSH = "tests/giftserver/durable/test_flush.py"
CREDITS = "tests/giftserver/durable/test_credits.py"
REFUNDS = "tests/giftserver/durable/test_refunds.py"
WORKER = "tests/giftserver/test_worker.py"
COORDINATOR = "tests/giftserver/recovery/test_coordinator.py"
SAFEGUARDS = "tests/torture/test_safeguards.py"


class Edit(NamedTuple):
    """Text that is there exactly once in a file, and what takes its place."""

    file: str
    text: str
    instead: str = ""

    def count(self, root: Path) -> int:
        """How often the text is in the file below a root; 0 when there is no such file."""
        path = root / self.file
        return path.read_text().count(self.text) if path.exists() else 0

    def apply(self, root: Path) -> None:
        """Put the bug into a copy of the tree."""
        path = root / self.file
        path.write_text(path.read_text().replace(self.text, self.instead))


@dataclass(frozen=True)
class Bug:
    """What is broken, how, and the tests (as pytest takes them) of which one must fail."""

    name: str
    edits: tuple[Edit, ...]
    tests: tuple[str, ...]

    def missing(self, root: Path) -> list[Edit]:
        """Edits whose text is not there exactly once."""
        return [edit for edit in self.edits if edit.count(root) != 1]


def bug(name: str, file: str, text: str, instead: str, *tests: str) -> Bug:
    """A bug of one edit."""
    return Bug(name, (Edit(file, text, instead),), tests)

"""What a check of one invariant found."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

SHOWN_MAX: Final = 20


@dataclass(slots=True)
class Invariant:
    """Result of one invariant: how much was checked, and the first violations with the ids to look at."""

    name: str
    checked: int = 0
    violations: list[str] = field(default_factory=list)
    more: bool = False
    """There are more violations than are listed."""
    seconds: float = 0.0

    @property
    def holds(self) -> bool:
        """Whether nothing was found against it."""
        return not self.violations

    @property
    def full(self) -> bool:
        """Whether further violations would not be listed."""
        return len(self.violations) >= SHOWN_MAX

    def found(self, violation: str) -> None:
        """Note a violation."""
        if self.full:
            self.more = True
        else:
            self.violations.append(violation)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Add the time the block takes."""
        started_s = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - started_s

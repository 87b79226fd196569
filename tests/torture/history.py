"""What every client did and was told: the record that the checker holds against the ledger.

Times are seconds of the monotonic clock, amounts are coins and diamonds.
"""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple


class Receipt(NamedTuple):
    """What a client was told about an accepted gift."""

    transfer: str
    coins: int
    diamonds: int
    balance_coins: int


@dataclass(slots=True)
class Attempt:
    """One sending of a gift and its end: `ok`, `fail` (nothing was charged by it) or `unknown`; "" while it runs."""

    began_s: float
    ended_s: float = 0.0
    outcome: str = ""
    code: str = ""
    receipt: Receipt | None = None


@dataclass(slots=True)
class Gift:
    """One body under one key, and all its attempts. `expect` is the only code it may end with, "" for any."""

    number: int
    user: str
    key: str
    key_ms: int
    room: str
    creator: str
    gift: str
    quantity: int
    coins: int
    note: str = ""
    expect: str = ""
    attempts: list[Attempt] = field(default_factory=list)
    final: str = ""
    """`ok` or `fail` once a client has a final answer, `given up` when it stopped after a temporary refusal."""

    def begin(self) -> Attempt:
        """A new attempt, begun now."""
        attempt = Attempt(time.monotonic())
        self.attempts.append(attempt)
        return attempt

    def end(self, attempt: Attempt, outcome: str, code: str = "", receipt: Receipt | None = None) -> None:
        """What became of an attempt."""
        attempt.ended_s, attempt.outcome, attempt.code, attempt.receipt = time.monotonic(), outcome, code, receipt

    @property
    def receipts(self) -> list[Receipt]:
        """Every receipt the client got."""
        return [attempt.receipt for attempt in self.attempts if attempt.receipt is not None]

    @property
    def unknown(self) -> bool:
        """Whether an attempt may still turn out to have charged: without an answer, or under way."""
        return not self.receipts and any(attempt.outcome in ("unknown", "") for attempt in self.attempts)

    @property
    def unanswered(self) -> bool:
        """Whether the client was left in doubt: an attempt ended without an answer, and none gave a receipt."""
        return not self.receipts and any(attempt.outcome == "unknown" for attempt in self.attempts)

    @property
    def told_s(self) -> float:
        """When the newest attempt was begun that was told the gift is accepted; 0 when none was.

        It was decided after this moment: a fault that ended before cannot have taken it.
        """
        return max((attempt.began_s for attempt in self.attempts if attempt.outcome == "ok"), default=0.0)

    def describe(self) -> str:
        """The operation and its attempts in one line, for a report."""
        tries = ", ".join(
            f"{attempt.began_s:.3f}–{attempt.ended_s:.3f} {attempt.outcome or 'running'} {attempt.code}"
            f"{' ' + attempt.receipt.transfer if attempt.receipt else ''}"
            for attempt in self.attempts
        )
        what = f"{self.quantity} {self.gift} = {self.coins} coins to {self.creator}"
        return f"gift {self.number} of {self.user}, key {self.key}, {what} [{tries}] {self.final}"


@dataclass(slots=True)
class Credit:
    """Coins credited in PostgreSQL under a reference; `outcome` is ok, fail or unknown."""

    user: str
    coins: int
    reference: str
    outcome: str = "unknown"
    credit_no: int = 0


class Fault(NamedTuple):
    """A fault that was injected; a lossy one may take acknowledged gifts that were not yet in PostgreSQL."""

    at_s: float
    name: str
    lossy: bool


@dataclass
class History:
    """Everything of one run."""

    gifts: list[Gift] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)

    def add(self, gift: Gift) -> Gift:
        """Keep a gift that is about to be sent."""
        self.gifts.append(gift)
        return gift

    def lossy_after(self, at_s: float) -> bool:
        """Whether something that was begun at `at_s` and acknowledged may rightly be gone."""
        return any(fault.lossy and fault.at_s >= at_s for fault in self.faults)

    def write(self, path: Path) -> None:
        """One JSON line a gift, credit and fault."""
        with path.open("w") as file:
            for fault in self.faults:
                file.write(json.dumps({"fault": fault._asdict()}) + "\n")
            for credit in self.credits:
                file.write(json.dumps({"credit": asdict(credit)}) + "\n")
            for gift in self.gifts:
                file.write(json.dumps({"gift": asdict(gift)}) + "\n")

"""Puts the journals of a run together: what each sender was told about each key, and what each viewer was shown."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Told:
    """Everything that was said about one key. `replies` are (transfer, coins)."""

    user: str
    key: str
    coins: int | None = None
    sent: int = 0
    replies: list[tuple[str, int]] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether the sender never heard a final answer."""
        return not self.replies and not self.refused


@dataclass(frozen=True, slots=True)
class Span:
    """What one viewer was shown after one offset until another; coins."""

    viewer: str
    epoch: str
    after: int
    until: int
    coins: int


@dataclass(slots=True)
class Accounts:
    """A run. `history` has the coins of every gift by (epoch, offset)."""

    rooms: set[str] = field(default_factory=set)
    started_ms: int | None = None
    keys: dict[tuple[str, str], Told] = field(default_factory=dict)
    spans: list[Span] = field(default_factory=list)
    history: dict[tuple[str, int], int] = field(default_factory=dict)
    costs: list[tuple[str, float, float]] = field(default_factory=list)

    @property
    def users(self) -> set[str]:
        """Everybody who sent."""
        return {told.user for told in self.keys.values()}

    def shown(self, span: Span) -> int:
        """What the history has for a span; coins."""
        offsets = range(span.after + 1, span.until + 1)
        return sum(self.history.get((span.epoch, offset), 0) for offset in offsets)

    def add(self, line: dict[str, Any]) -> None:
        """Take one line of a journal."""
        match line["kind"]:
            case "run":
                self.rooms.add(line["room"])
                self.started_ms = min(line["started_ms"], self.started_ms or line["started_ms"])
            case "sent":
                told = self._told(line)
                told.sent, told.coins = told.sent + 1, line["coins"]
            case "acknowledged":
                self._told(line).replies.append((line["transfer"], line["coins"]))
            case "refused":
                self._told(line).refused.append(line["code"])
            case "unknown":
                self._told(line)
            case "watched":
                span = Span(line["viewer"], line["epoch"], line["after"], line["until"], line["coins"])
                self.spans.append(span)
            case "history":
                self.history.update({(line["epoch"], offset): coins for offset, coins in line["gifts"]})
            case "process":
                self.costs.append((line["name"], line["cpu_s"], line["wall_s"]))

    def _told(self, line: dict[str, Any]) -> Told:
        name = (line["user"], line["key"])
        return self.keys.setdefault(name, Told(*name))


def put_together(lines: Iterable[dict[str, Any]]) -> Accounts:
    """The accounts of these lines, from however many processes."""
    accounts = Accounts()
    for line in lines:
        accounts.add(line)
    return accounts

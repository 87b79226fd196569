"""Watches a room: how late gifts come, and what their sum is over a span of offsets."""

import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from loadtest.client import RoomSocket
from loadtest.crowd import mark
from loadtest.journal import Journal

MARK: Final = "load"
NODE: Final = f"{uuid.getnode():x}"


def make_note() -> str:
    """A note that carries when the gift was sent, by the monotonic clock of this machine; and the mark of a crowd."""
    return f"{MARK} {NODE} {time.monotonic_ns()} {mark().decode()}"


def lag_ms(note: str) -> float | None:
    """How long ago a noted gift was sent, in ms; None when it was sent from another machine or is not ours."""
    parts = note.split(" ")
    if len(parts) != 4 or parts[0] != MARK or parts[1] != NODE or not parts[2].isdigit():
        return None
    return (time.monotonic_ns() - int(parts[2])) / 1e6


class Viewer:
    """One watcher. Its sums begin anew where it could not resume, and each such span is journalled.

    Of `lag_every` gifts one is timed; `turn` spreads which one over the viewers.
    """

    def __init__(
        self, name: str, socket_url: str, codec: str, token: Callable[[], str | None], journal: Journal,
        on_lag: Callable[[float], None], *, turn: int = 0, lag_every: int = 1,
    ) -> None:  # fmt: skip
        self.name = name
        self._turn, self._lag_every = turn, lag_every
        self.socket = RoomSocket(socket_url, codec, token, self._take)
        self._journal, self._on_lag = journal, on_lag
        self._coins = self._gifts = 0
        self._after = 0

    def finish(self) -> None:
        """Journal the span watched so far."""
        position = self.socket.position
        if position is not None:
            self._journal.write(
                "watched", viewer=self.name, epoch=position[0], after=self._after, until=position[1],
                coins=self._coins, gifts=self._gifts,
            )  # fmt: skip

    def _take(self, messages: list[Any]) -> None:
        for message in messages:
            kind = message["type"]
            if kind == "welcome":
                self._welcome(message)
            elif kind == "gift":
                self._coins += message["coins"]
                self._gifts += 1
                if (self._gifts + self._turn) % self._lag_every == 0:
                    late_ms = lag_ms(message["note"])
                    if late_ms is not None:
                        self._on_lag(late_ms)
            elif kind == "gifts_folded":
                self._coins += sum(item["coins"] for item in message["items"])
            if kind != "welcome" and "offset" in message and self.socket.position is not None:
                epoch, offset = self.socket.position
                self.socket.position = (epoch, max(offset, message["offset"]))

    def _welcome(self, message: dict[str, Any]) -> None:
        if message["resumed"]:
            return
        self.finish()
        self.socket.position = (message["epoch"], message["offset"])
        self._after, self._coins, self._gifts = message["offset"], 0, 0

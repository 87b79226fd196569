"""Reads a room's history while a load test runs: what was shown, by offset, to hold the viewers' sums against."""

import contextlib
from typing import Any, Final

import gevent

from loadtest.journal import Journal
from loadtest.server import Server

LOOK_S: Final = 0.5
PAGE: Final = 1_000


class HistoryReader:
    """Journals every gift of a room with its offset and coins, from the moment it is made."""

    def __init__(self, server: Server, room: str, journal: Journal) -> None:
        self._server, self._room, self._journal = server, room, journal
        self._epoch = ""
        self._after = 0

    def run(self) -> None:
        """Read until killed; a server that is away is waited for."""
        while True:
            full = False
            with contextlib.suppress(OSError, ValueError):  # the room keeps its events; a hole shows in the audit
                full = self.step()
            if not full:
                gevent.sleep(LOOK_S)

    def step(self) -> bool:
        """Read one page; True when there is more."""
        query = f"epoch={self._epoch}&after={self._after}&limit={PAGE}"
        page: dict[str, Any] = self._server.ask("GET", f"/v1/rooms/{self._room}/gifts?{query}")
        if page["epoch"] != self._epoch:
            self._epoch, self._after = page["epoch"] or "", 0
        gifts = page["gifts"]
        if gifts:
            self._after = max(gift["offset"] for gift in gifts)
            shown = [[gift["offset"], gift["coins"]] for gift in gifts]
            self._journal.write("history", room=self._room, epoch=self._epoch, gifts=shown)
        if page["next"] is not None:
            self._after = max(self._after, int(page["next"]))
        return page["next"] is not None

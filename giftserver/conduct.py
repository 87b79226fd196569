"""Who misbehaves waits for the next socket.

Nobody is locked out, and nobody who behaves notices: a user, or the guests of an address, have some patience to spend.
A socket that was closed for what it sent costs much of it, a socket a little; it comes back with time. Without any left
a handshake is answered late, which costs the server nothing, and the one who misbehaves most of what it can do.
"""

import time
from typing import Final

WAIT_S: Final = 3.0
OFFENCES: Final = 5.0
"""So many closes for what was sent are forgiven a user."""

SOCKETS_TIMES: Final = 10.0
"""A user may open so many times the sockets that may be open at once before that counts as misbehaving."""

COMES_BACK_S: Final = 10.0
"""After so long one offence is forgotten."""

GUESTS: Final = 10.0
"""Guests of an address are many, maybe: they have so many times a user's patience, and their sockets cost nothing."""

KNOWN_MAX: Final = 50_000


class Conduct:
    """Patience left, by user or address; one process's view."""

    def __init__(self, sockets_per_user: int, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._socket_cost = OFFENCES / (SOCKETS_TIMES * sockets_per_user)
        self._spent: dict[str, tuple[float, float]] = {}

    def wait_s(self, user: str | None, address: str) -> float:
        """How long the next handshake has to wait; a user's costs a little."""
        spent = self._now(_who(user, address), 0.0 if user is None else self._socket_cost)
        return self._wait_s if spent > OFFENCES else 0.0

    def misbehaved(self, user: str | None, address: str) -> None:
        """A socket was closed for what it sent."""
        self._now(_who(user, address), 1.0 if user is not None else 1.0 / GUESTS)

    def _now(self, who: str, cost: float) -> float:
        now_s = time.monotonic()
        spent, at_s = self._spent.pop(who, (0.0, now_s))
        spent = max(0.0, spent - (now_s - at_s) / COMES_BACK_S) + cost
        if len(self._spent) >= KNOWN_MAX:
            del self._spent[next(iter(self._spent))]  # the one that was quiet for longest
        if spent:
            self._spent[who] = (min(spent, 2 * OFFENCES), now_s)
        return spent


def _who(user: str | None, address: str) -> str:
    return f"address {address}" if user is None else user

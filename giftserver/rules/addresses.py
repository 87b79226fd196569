"""How many orders a network address may try: counted in this process's memory alone, never stored and never logged."""

import ipaddress
import time
from typing import Final

KNOWN_MAX: Final = 50_000
HOUR_S: Final = 3_600.0
IPV6_PREFIX: Final = 64
"""One customer has at least so large a network to choose addresses from."""


class OrderAllowance:
    """Orders left by address: `per_hour` at once, which come back within an hour."""

    def __init__(self, per_hour: int) -> None:
        self._per_hour = per_hour
        self._spent: dict[str, tuple[float, float]] = {}

    def take(self, address: str) -> int:
        """0 when one more order is allowed now, else the ms to wait for it. An empty address is not counted."""
        if not address:
            return 0
        network, now_s = _network(address), time.monotonic()
        spent, at_s = self._spent.pop(network, (0.0, now_s))
        spent = max(0.0, spent - (now_s - at_s) * self._per_hour / HOUR_S)
        allowed = spent + 1.0 <= self._per_hour
        if len(self._spent) >= KNOWN_MAX:
            del self._spent[next(iter(self._spent))]  # the one that was quiet for longest
        self._spent[network] = (spent + 1.0 if allowed else spent, now_s)
        return 0 if allowed else max(1, int((spent + 1.0 - self._per_hour) * HOUR_S / self._per_hour * 1_000))


def _network(address: str) -> str:
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, IPV6_PREFIX), strict=False))

"""What a client has been shown, by the protocol's counting rule: each message's own quantity times the price."""

from collections import Counter
from collections.abc import Mapping
from typing import Any


class Tally:
    """Sums of one watching client. `prices_coins` maps gifts to prices.

    Nothing is thrown away as a repeat: if the server shows a gift twice, the sum is wrong and says so.
    """

    def __init__(self, prices_coins: Mapping[str, int]) -> None:
        self.shown_coins: Counter[str] = Counter()
        self.folded_coins = 0
        self.position: tuple[str, int] | None = None
        self.after = 0
        self.resumed = 0
        self.lost = 0
        self._prices = prices_coins

    def take(self, message: Mapping[str, Any]) -> None:
        """Count one message of the server."""
        kind = message["type"]
        if kind == "welcome":
            self._welcome(message)
            return
        if kind == "gift":
            self.shown_coins[message["transfer"]] += message["quantity"] * self._prices[message["gift"]]
        elif kind == "gifts_folded":
            items = message["items"]
            self.folded_coins += sum(item["quantity"] * self._prices[item["gift"]] for item in items)
        if "offset" in message and self.position is not None:
            self.position = (self.position[0], max(self.position[1], message["offset"]))

    def coins_of(self, transfers: set[str]) -> int:
        """Coins shown one by one for these transfers."""
        return sum(self.shown_coins[transfer] for transfer in transfers)

    @property
    def all_coins(self) -> int:
        """Coins of everything shown, folded or not, whoever sent it."""
        return self.shown_coins.total() + self.folded_coins

    def remarks(self) -> list[str]:
        """What happened on the way, in words."""
        found = []
        if self.resumed:
            found.append(f"resumed {self.resumed} times")
        if self.lost:
            found.append(f"could not resume {self.lost} times: more was missed than the room keeps")
        if self.folded_coins:
            found.append(f"{self.folded_coins} coins came folded")
        return found

    def _welcome(self, message: Mapping[str, Any]) -> None:
        if message["resumed"]:
            self.resumed += 1
            return
        if self.position is None:
            self.after = message["offset"]
        else:
            self.lost += 1
        self.position = (message["epoch"], message["offset"])

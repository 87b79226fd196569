"""What sampled viewers of a room are shown, decoded by the `msgpack` package, which is not the server's codec."""

from typing import Final

import msgpack

from loadtest.frames import Messages

FOLDED_MIN: Final = 100
"""Gifts of so many coins or more are always shown by themselves (GIFTSERVER_SMALL_BELOW_COINS)."""


class Shown:
    """One viewer's sums: `gift` messages and `gifts_folded` items, from the moment of `begin`."""

    def __init__(self) -> None:
        self._messages = Messages()
        self.quantity = self.coins = self.folds = 0
        self.large: list[str] = []
        """Transfers of the gifts that may not be folded."""

    def begin(self) -> None:
        """Count from here on."""
        self.quantity = self.coins = self.folds = 0
        self.large.clear()

    def read(self, data: bytes) -> None:
        """Take what the viewer read."""
        for payload in self._messages.of(data):
            for message in msgpack.unpackb(payload):
                self._take(message)

    def _take(self, message: dict[str, object]) -> None:
        match message:
            case {"type": "gift", "quantity": int(quantity), "coins": int(coins), "transfer": str(transfer)}:
                self.quantity += quantity
                self.coins += coins
                if coins >= FOLDED_MIN * quantity:  # small ones together are none
                    self.large.append(transfer)
            case {"type": "gifts_folded", "items": list(items)}:
                self.folds += 1
                self.quantity += sum(item["quantity"] for item in items)
                self.coins += sum(item["coins"] for item in items)

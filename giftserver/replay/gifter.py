"""A viewer who gives gifts: keys are made here and kept until each has a final reply, whatever happens between."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final

from giftserver.replay.chaos import Accident, Chaos
from giftserver.replay.keys import make_key
from giftserver.replay.link import MSGPACK, Dialect, Link

REPLY_S: Final = 4.0
RETRY_S: Final = 0.5
LOOK_S: Final = 0.05
RECEIPTS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the server gave for a key."""

    key: str
    transfer: str
    coins: int
    balance_coins: int


class GiftRefused(Exception):
    """A final refusal: nothing was charged for this key."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


class ReceiptChanged(Exception):
    """The same key got two different receipts: the promise of idempotency is broken."""


@dataclass(slots=True)
class _Pending:
    command: dict[str, Any]
    receipt: "asyncio.Future[Receipt]"
    accident: Accident
    due_s: float = 0.0
    attempts: int = 0


class Gifter:
    """One sender's socket in one room. `token` is asked for every connection."""

    def __init__(
        self, url: str, token: Callable[[], Awaitable[str]], chance: random.Random,
        chaos: Chaos | None = None, dialect: Dialect = MSGPACK,
    ) -> None:  # fmt: skip
        self.balance_coins: int | None = None
        self.broken: ReceiptChanged | None = None
        self.resent = 0
        self._url, self._token, self._chance = url, token, chance
        self._chaos = chaos or Chaos(chance, on=False)
        self._link = Link(dialect, self._address, self._take, chance)
        self._pending: dict[str, _Pending] = {}
        self._by_id: dict[int, str] = {}
        self._receipts: dict[str, Receipt] = {}
        self._stirred = asyncio.Event()
        self._open = False
        self._next_id = 1

    @property
    def reconnects(self) -> int:
        """Connections after the first."""
        return max(0, self._link.connections - 1)

    @property
    def waiting(self) -> int:
        """Gifts without a final reply."""
        return len(self._pending)

    async def run(self) -> None:
        """Stay connected and resend what has no reply, until cancelled. Raises Ended and Refused as Link does."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._link.run())
            group.create_task(self._resend())

    async def send(self, gift: str, quantity: int, price_coins: int, note: str = "") -> Receipt:
        """Give a gift; returns with the final reply, however long that takes. Raises GiftRefused."""
        key = make_key()
        command = {"type": "send_gift", "key": key, "gift": gift, "quantity": quantity, "price_coins": price_coins}
        if note:
            command["note"] = note
        pending = _Pending(command, asyncio.get_running_loop().create_future(), self._chaos.deal())
        self._pending[key] = pending
        self._stirred.set()
        self._post(pending)
        return await pending.receipt

    async def _address(self) -> tuple[str, dict[str, str]]:
        self._open = False
        return self._url, {"Authorization": f"Bearer {await self._token()}"}

    def _post(self, pending: _Pending) -> None:
        """Send a gift, if there is a connection, under a fresh command id."""
        now_s = asyncio.get_running_loop().time()
        if not self._open or not self._link.send({**pending.command, "id": self._next_id}):
            pending.due_s = now_s
            return
        self._by_id[self._next_id] = pending.command["key"]
        self._next_id += 1
        pending.attempts += 1
        pending.due_s = now_s + REPLY_S
        self.resent += pending.attempts > 1
        if pending.accident is Accident.TWICE and pending.attempts == 1:
            self._happens(pending)
            self._post(pending)
        elif pending.accident is Accident.CUT_BEFORE_REPLY:
            self._happens(pending)
            # A moment later, so that in some runs the server has the command and in some it has not.
            asyncio.get_running_loop().call_later(self._chance.random() * 0.01, self._link.cut)

    def _happens(self, pending: _Pending) -> None:
        self._chaos.met_with(pending.accident)
        pending.accident = Accident.NONE

    def _take(self, messages: list[Any]) -> None:
        for message in messages:
            kind = message["type"]
            if kind == "welcome":
                self._welcome(message)
            elif kind == "reply":
                self._reply(message)
            elif kind == "error":
                self._error(message)
            elif kind == "balance":
                self.balance_coins = message["coins"]

    def _welcome(self, message: dict[str, Any]) -> None:
        you = message.get("you") or {}
        if you.get("balance_coins") is not None:
            self.balance_coins = you["balance_coins"]
        self._open = True
        self._by_id.clear()
        for pending in list(self._pending.values()):
            self._post(pending)

    def _reply(self, message: dict[str, Any]) -> None:
        key = self._by_id.pop(message["id"], "")
        result = message["result"]
        receipt = Receipt(result["key"], result["transfer"], result["coins"], result["balance_coins"])
        earlier = self._receipts.setdefault(receipt.key, receipt)
        if len(self._receipts) > RECEIPTS_MAX:
            del self._receipts[next(iter(self._receipts))]
        if (earlier.transfer, earlier.coins) != (receipt.transfer, receipt.coins) or key != receipt.key:
            self.broken = ReceiptChanged(f"key {receipt.key} got {earlier.transfer}, then {receipt.transfer}")
        pending = self._pending.get(key)
        if pending is None:
            return
        self.balance_coins = receipt.balance_coins
        if pending.accident is Accident.REPLY_LOST:
            self._happens(pending)
            pending.due_s = asyncio.get_running_loop().time() + RETRY_S
            return
        del self._pending[key]
        if not pending.receipt.done():
            pending.receipt.set_result(receipt)
        if pending.accident is Accident.AGAIN_AFTER_REPLY:
            self._happens(pending)
            self._post(pending)
        elif pending.accident is Accident.CUT_AFTER_REPLY:
            self._happens(pending)
            self._link.cut()

    def _error(self, message: dict[str, Any]) -> None:
        pending = self._pending.get(self._by_id.pop(message.get("id") or 0, ""))
        if pending is None:
            return
        if message["temporary"]:
            asked_s = (message.get("retry_after_ms") or RETRY_S * 1_000) / 1_000
            pending.due_s = asyncio.get_running_loop().time() + asked_s * (1 + self._chance.random())
            return
        del self._pending[pending.command["key"]]
        if not pending.receipt.done():
            pending.receipt.set_exception(GiftRefused(message["code"], message["message"]))

    async def _resend(self) -> None:
        """The same keys again: those without a reply in time, those refused for now, those never sent."""
        while True:
            if not self._pending:
                self._stirred.clear()
                await self._stirred.wait()
            now_s = asyncio.get_running_loop().time()
            for pending in [one for one in self._pending.values() if one.due_s <= now_s]:
                self._post(pending)
            await asyncio.sleep(LOOK_S)

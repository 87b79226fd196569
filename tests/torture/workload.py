"""The load: people on many sockets who send gifts in a hurry, resend them, forge them, and write everything down."""

import asyncio
import contextlib
import random
import secrets
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, WebSocketException

from giftserver.gifts.catalog import load_catalog
from rooms.codec import MSGPACK_SUBPROTOCOL
from tests.torture.history import Attempt, Gift, History, Receipt
from tests.torture.waiting import rest

DAY_MS: Final = 86_400_000
KEY_LIFE_MS: Final = 480_000
"""A key is resent while it is younger than this; older ones are asked for."""

REPLY_S: Final = 12.0
RECONNECT_S: Final = 0.1
MENU: Final = (("dewdrop", 60), ("rose", 25), ("thumb-drum", 8), ("kite", 5), ("paper-boat", 2), ("meteor-rain", 1))
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


def new_key(at_ms: int) -> str:
    """A UUIDv7 of a moment (Unix ms)."""
    return str(uuid.UUID(int=at_ms << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)))


@dataclass
class Person:
    """Somebody with one wallet, one room and any number of sockets."""

    user: str
    room: str
    creator: str
    again: deque[Gift] = field(default_factory=deque)
    """Gifts to be sent once more under their key, by whichever socket is free."""

    @property
    def creator_at_home(self) -> bool:
        """Whether all gifts of this person go to the person, and so none may be taken."""
        return self.user == self.creator


@dataclass
class Rates:
    """How often what happens, of all gifts."""

    twice_at_once: float = 0.05
    again_after: float = 0.05
    other_body: float = 0.01
    bad_clock: float = 0.002
    give_up: float = 0.03
    """Of temporary refusals: never sent again, so nothing may ever be charged for it."""
    leave_unknown: float = 0.1
    """Of lost replies: left to the end of the run."""


class Load:
    """What all sockets share: the history, the dice, the brakes. `gifts_max` ends it early."""

    def __init__(
        self,
        history: History,
        seed: int,
        menu: Sequence[tuple[str, int]] = MENU,
        quantity: tuple[int, int] = (1, 3),
        rates: Rates | None = None,
        gifts_max: int = 0,
    ) -> None:
        self.history, self.chance = history, random.Random(seed)
        self.rates, self._quantity = rates or Rates(), quantity
        self._gifts_max = gifts_max and len(history.gifts) + gifts_max
        self.prices = {gift.id: gift.coins for gift in load_catalog().gifts.values()}
        self.codes: Counter[str] = Counter()
        self.accepted = 0
        self.decided_s: dict[str, float] = {}
        """By user, when the newest gift was begun that got a final answer from the ledger."""
        self.resolving = False
        self.in_flight = 0
        self._menu = [name for name, weight in menu for _ in range(weight)]
        self._go = asyncio.Event()
        self._go.set()
        self.stopping = False

    @property
    def going(self) -> bool:
        """Whether new gifts are made."""
        return self._go.is_set() and not self.stopping and not self.full

    @property
    def full(self) -> bool:
        """Whether as many gifts were made as were asked for."""
        return bool(self._gifts_max) and len(self.history.gifts) >= self._gifts_max

    def pause(self) -> None:
        """Make no new gifts; those under way go on."""
        self._go.clear()

    def go_on(self) -> None:
        """Make new gifts again."""
        self._go.set()

    def new_gift(self, person: Person) -> Gift:
        """The next gift of somebody, now and then with a key a day off."""
        chance = self.chance
        name = chance.choice(self._menu)
        quantity = chance.randint(*self._quantity)
        now_ms = key_ms = int(time.time() * 1_000)
        expect = "self_gift" if person.creator_at_home else ""
        if chance.random() < self.rates.bad_clock:
            key_ms, expect = now_ms + chance.choice((-DAY_MS, -11 * 60_000, 60 * 60_000, DAY_MS)), "key_expired"
        return self._add(person, name, quantity, new_key(key_ms), key_ms, expect)

    def rival_of(self, gift: Gift, person: Person) -> Gift:
        """Another body under the key of a gift that was accepted: it must be refused."""
        return self._add(person, gift.gift, gift.quantity + 1, gift.key, gift.key_ms, "key_reused")

    def _add(self, person: Person, name: str, quantity: int, key: str, key_ms: int, expect: str) -> Gift:
        coins = self.prices[name] * quantity
        number = len(self.history.gifts)
        made = Gift(number, person.user, key, key_ms, person.room, person.creator, name, quantity, coins, expect=expect)
        return self.history.add(made)


class Sender:
    """One socket: keeps up to `window` gifts in flight and connects again whenever it is cut."""

    def __init__(self, load: Load, person: Person, url: Callable[[], str], token: Callable[[str], str], window: int):
        self._load, self._person, self._url, self._token = load, person, url, token
        self._window = window
        self._waiting: dict[int, tuple[Gift, Attempt]] = {}
        self._next_id = 0
        self._room = asyncio.Event()

    async def run(self) -> None:
        """Send until the load stops and nothing waits."""
        while not self._load.stopping:
            with contextlib.suppress(OSError, WebSocketException, InvalidHandshake, TimeoutError, EOFError):
                await self._connected()
            self._lose("cut")
            await rest(RECONNECT_S)

    async def _connected(self) -> None:
        url = self._url().replace("http", "ws") + f"/v1/rooms/{self._person.room}/ws"
        headers = {"authorization": f"Bearer {self._token(self._person.user)}"}
        subprotocols: Any = [MSGPACK_SUBPROTOCOL]
        async with connect(
            url, subprotocols=subprotocols, additional_headers=headers, compression=None, ping_interval=None,
            open_timeout=5, close_timeout=1, max_size=None, max_queue=None, proxy=None,
        ) as socket:  # fmt: skip
            writing = asyncio.create_task(self._write(socket))
            try:
                async for frame in socket:
                    self._take(frame if isinstance(frame, bytes) else frame.encode())
            finally:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)

    def _silent(self) -> bool:
        """Whether the oldest gift in flight has waited too long for its reply."""
        oldest = next(iter(self._waiting.values()), None)
        return oldest is not None and time.monotonic() - oldest[1].began_s > REPLY_S

    async def _write(self, socket: ClientConnection) -> None:
        """Fill the window until the load stops or the server falls silent, then end the socket."""
        load, again = self._load, self._person.again
        try:
            while not load.stopping and not self._silent():
                if len(self._waiting) >= self._window or not (again or load.going):
                    self._room.clear()
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._room.wait(), 0.1)
                    continue
                if again:
                    await self._send(socket, again.popleft())
                    continue
                gift = load.new_gift(self._person)
                await self._send(socket, gift)
                if load.chance.random() < load.rates.twice_at_once:
                    await self._send(socket, gift)
        finally:
            socket.transport.abort()

    async def _send(self, socket: ClientConnection, gift: Gift) -> None:
        self._next_id += 1
        attempt = gift.begin()
        self._waiting[self._next_id] = gift, attempt
        self._load.in_flight += 1
        await socket.send(
            _encode(
                {
                    "type": "send_gift", "id": self._next_id, "key": gift.key, "gift": gift.gift,
                    "quantity": gift.quantity,
                }
            )
        )  # fmt: skip

    def _take(self, frame: bytes) -> None:
        for message in _decode(frame):
            if message["type"] not in ("reply", "error"):
                continue
            waited = self._waiting.pop(message["id"], None)
            if waited is None:
                continue
            self._load.in_flight -= 1
            gift, attempt = waited
            if message["type"] == "reply" or not message["temporary"]:
                self._load.decided_s[gift.user] = max(self._load.decided_s.get(gift.user, 0.0), attempt.began_s)
            if message["type"] == "reply":
                self._accepted(gift, attempt, message["result"])
            else:
                self._refused(gift, attempt, message)
        self._room.set()

    def _accepted(self, gift: Gift, attempt: Attempt, result: dict[str, Any]) -> None:
        load = self._load
        receipt = Receipt(result["transfer"], result["coins"], result["diamonds"], result["balance_coins"])
        first = gift.final != "ok"
        gift.end(attempt, "ok", "", receipt)
        gift.final = "ok"
        if not first:
            return
        load.accepted += 1
        dice = load.chance.random()
        if load.resolving:
            return
        if dice < load.rates.again_after:
            self._person.again.append(gift)
        elif dice < load.rates.again_after + load.rates.other_body:
            self._person.again.append(load.rival_of(gift, self._person))

    def _refused(self, gift: Gift, attempt: Attempt, message: dict[str, Any]) -> None:
        load, code = self._load, message["code"]
        load.codes[code] += 1
        charged_nothing = code != "unknown_outcome" and (not message["temporary"] or "charged" in message["message"])
        gift.end(attempt, "fail" if charged_nothing else "unknown", code)
        if not message["temporary"] and code != "unauthorized":
            gift.final = gift.final or "fail"
        elif not gift.final:
            self._try_again(gift, charged_nothing)

    def _try_again(self, gift: Gift, charged_nothing: bool) -> None:
        load = self._load
        if load.resolving:
            pass
        elif charged_nothing and not gift.unknown and load.chance.random() < load.rates.give_up:
            gift.final = "given up"
            return
        elif not charged_nothing and load.chance.random() < load.rates.leave_unknown:
            return
        if time.time() * 1_000 - gift.key_ms < KEY_LIFE_MS:
            asyncio.get_running_loop().call_later(load.chance.uniform(0.05, 0.3), self._person.again.append, gift)

    def _lose(self, why: str) -> None:
        """The socket is gone: what was in flight is unknown."""
        lost, self._waiting = self._waiting, {}
        self._load.in_flight -= len(lost)
        for gift, attempt in lost.values():
            gift.end(attempt, "unknown", why)
            if not gift.final:
                self._try_again(gift, charged_nothing=False)

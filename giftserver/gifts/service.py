"""Sending a gift: from a viewer's command to a receipt, or to a refusal in words."""

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec
import structlog
from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver import errors
from giftserver.auth.tokens import Identity
from giftserver.away import DATABASE_ERRORS, ENGINE_ERRORS, is_away
from giftserver.durable.history import gift_by_key
from giftserver.durable.intake import broken_rule
from giftserver.durable.rooms import RoomRecord
from giftserver.errors import Refusal
from giftserver.gifts import rates
from giftserver.gifts.announce import Announcer
from giftserver.gifts.body import room_event
from giftserver.gifts.catalog import Catalog, Gift
from giftserver.gifts.messages import Receipt, SendGift
from giftserver.gifts.rooms import RoomDirectory
from giftserver.ledger.events import COINS_MAX, GiftEvent, encode_event, transfer_id
from giftserver.ledger.keys import shard_of
from giftserver.ledger.ledger import Ledger
from giftserver.ledger.outcomes import Accepted, GiftOrder, Outcome, Reason, Refused
from giftserver.limits.words import too_many
from giftserver.metrics import Metrics
from rooms import codes

log = structlog.get_logger()

RETRY_AFTER_MS: Final = 500
KEY: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HASHES_MAX: Final = 4_096
"""Requests whose hash is remembered: most gifts are like others but for their keys."""

DATABASE_S: Final = 2.0
"""A read that Redis can answer as well waits no longer than this for PostgreSQL."""


Reply = Receipt | Refusal

FAILED: Final = Refusal(codes.UNAVAILABLE, "Something went wrong here. Send the same key again.")


class _Sender(msgspec.Struct, frozen=True, gc=False):
    """Who sends, and the time of the gift's key in Unix ms."""

    user: str
    name: str
    key_ms: int


class _Order(msgspec.Struct, frozen=True, gc=False):
    """A gift as the ledger decides it, and as everybody else is told of it."""

    order: GiftOrder
    event: GiftEvent


class GiftService:
    """Checks, prices, decides and announces gifts."""

    def __init__(
        self,
        catalog: Catalog,
        rooms: RoomDirectory,
        ledger: Ledger,
        announcer: Announcer,
        database: AsyncEngine,
        metrics: Metrics,
        too_young: Callable[[Identity], Awaitable[Refusal | None]],
    ) -> None:
        self._catalog, self._rooms, self._ledger = catalog, rooms, ledger
        self._announcer, self._database, self._metrics = announcer, database, metrics
        self._too_young = too_young
        self._tasks: set[asyncio.Task[None]] = set()
        self._slow: dict[str, asyncio.Future[None]] = {}
        """The last gift of each sender that is on the way to the ledger and not there yet: done once it is."""

    def post(self, sender: Identity, room_id: str, command: SendGift, told: Callable[[Reply], None]) -> None:
        """Send a gift once, however often its key is sent; `told` gets a Receipt exactly when it is charged.

        The usual gift, in a room that was looked at just now, needs no task: it is judged here and decided with the
        others of this loop turn.
        """
        started_s = time.perf_counter()

        def done(reply: Reply) -> None:
            self._count(reply, started_s)
            told(reply)

        checked = self._check(sender, command)
        if isinstance(checked, Refusal):
            done(checked)
            return
        room, gift = self._rooms.fresh(room_id), self._catalog.get(command.gift)
        # An earlier gift of this sender: they are decided in their order. Of a minor more has to be looked up.
        waits = checked.user in self._slow or sender.minor
        if waits or room is None or gift is None or self._judge(room, gift, command) is not None:
            before = self._slow.get(checked.user)
            mine = self._slow[checked.user] = asyncio.get_running_loop().create_future()
            self._start(self._slowly(sender, room_id, command, done, before, mine))
            return
        order = self._order(checked, room, gift, command)
        if isinstance(order, Refusal):
            done(order)
        else:
            self._decide(order, gift, done)

    def _decide(self, order: "_Order", gift: Gift, done: Callable[[Reply], None]) -> None:
        def decided(outcome: Outcome) -> None:
            if isinstance(outcome, Refused) and outcome.reason is Reason.TRY_AGAIN:
                self._start(self._again(order, outcome, gift, done))
            else:
                done(self._finish(order, outcome, gift))

        self._ledger.post(order.order, decided)

    async def _slowly(
        self, sender: Identity, room_id: str, command: SendGift, done: Callable[[Reply], None],
        before: "asyncio.Future[None] | None", mine: "asyncio.Future[None]",
    ) -> None:  # fmt: skip
        """Look up what is needed beside the sender's other gifts, then go on after `before`."""
        try:
            found = await self._prepare(sender, room_id, command)
        except Exception:
            log.exception("gift_failed", room=room_id)
            found = FAILED
        try:
            if before is not None:
                await before
            if isinstance(found, tuple):
                self._decide(*found, done)
            else:
                done(found)
        finally:
            mine.set_result(None)
            user = sender.user or ""
            if self._slow.get(user) is mine:
                del self._slow[user]

    async def _again(self, order: "_Order", outcome: Outcome, gift: Gift, done: Callable[[Reply], None]) -> None:
        try:
            reply = self._finish(order, await self._ledger.again(order.order, outcome), gift)
        except Exception:
            log.exception("gift_failed", room=order.event.room)
            reply = FAILED
        done(reply)

    def _start(self, work: "asyncio._CoroutineLike[None]") -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _count(self, reply: Reply, started_s: float) -> None:
        refused = reply.code.name if isinstance(reply, Refusal) else None
        self._metrics.gift(refused, time.perf_counter() - started_s)

    async def send(self, sender: Identity, room_id: str, command: SendGift) -> Reply:
        """Send a gift like `post`, and wait for what becomes of it."""
        started_s = time.perf_counter()
        reply = await self._send(sender, room_id, command)
        self._count(reply, started_s)
        return reply

    async def _send(self, sender: Identity, room_id: str, command: SendGift) -> Reply:
        found = await self._prepare(sender, room_id, command)
        if not isinstance(found, tuple):
            return found
        order, gift = found
        return self._finish(order, await self._ledger.send(order.order), gift)

    async def _prepare(self, sender: Identity, room_id: str, command: SendGift) -> "tuple[_Order, Gift] | Reply":
        """The order for the ledger, or what can be said without it."""
        checked = self._check(sender, command)
        if isinstance(checked, Refusal):
            return checked
        try:
            if refusal := await self._too_young(sender):
                return refusal
            room = await self._rooms.get(room_id)
        except ENGINE_ERRORS as problem:
            if not is_away(problem):
                raise
            log.warning("room_unknown", room=room_id, error=type(problem).__name__)
            return Refusal(
                codes.UNAVAILABLE,
                "The room cannot be looked up right now. Nothing was charged; send it again.",
                {"retry_after_ms": RETRY_AFTER_MS},
            )
        gift = self._catalog.get(command.gift)
        refusal = self._judge(room, gift, command)
        if refusal is not None or room is None or gift is None:
            earlier = await self._earlier(checked.user, command.key, hash_request(room_id, command))
            return earlier or refusal or Refusal(codes.ROOM_NOT_FOUND, f"There is no room {room_id}.")
        order = self._order(checked, room, gift, command)
        return order if isinstance(order, Refusal) else (order, gift)

    def _check(self, sender: Identity, command: SendGift) -> "_Sender | Refusal":
        if sender.user is None or sender.role == "overlay":
            return Refusal(codes.UNAUTHORIZED, "Sign in to send gifts.")
        key_ms = time_of_key(command.key)
        if key_ms is None:
            return Refusal(
                codes.BAD_REQUEST, "`key` must be a UUIDv7 in lower-case canonical form, made once per gift."
            )
        return _Sender(sender.user, sender.name, key_ms)

    def _order(self, sender: "_Sender", room: RoomRecord, gift: Gift, command: SendGift) -> "_Order | Refusal":
        event = GiftEvent(
            key=command.key,
            request_hash=hash_request(room.id, command),
            sender=sender.user,
            sender_name=sender.name,
            creator=room.creator,
            room=room.id,
            gift=gift.id,
            quantity=command.quantity,
            coins=gift.coins * command.quantity,
            diamonds=rates.CURRENT.diamonds(gift.coins * command.quantity),
            catalog_version=self._catalog.version,
            rate_version=rates.CURRENT.version,
            note=command.note,
        )
        rule = broken_rule(shard_of(sender.user), event) if sender.user != room.creator else None
        if rule is not None:  # what the flusher would stop at must never be accepted
            return Refusal(codes.BAD_REQUEST, f"This gift cannot be booked: {rule}. Nothing was charged.")
        order = GiftOrder(
            command.key,
            sender.key_ms,
            event.request_hash,
            sender.user,
            room.creator,
            event.coins,
            event.diamonds,
            encode_event(event),
        )
        return _Order(order, event)

    def _finish(self, order: "_Order", outcome: Outcome, gift: Gift) -> Reply:
        event = order.event
        if isinstance(outcome, Refused):
            return explain(outcome, event.coins)
        receipt = receipt_of(event.key, outcome)
        self._announcer.submit(event.room, room_event(receipt.transfer, event, combo=gift.combo))
        if not outcome.repeated:
            self._metrics.charged(outcome.coins)
        return receipt

    def _judge(self, room: RoomRecord | None, gift: Gift | None, command: SendGift) -> Refusal | None:
        if room is None:
            return Refusal(codes.ROOM_NOT_FOUND, "There is no such room.")
        if not room.live:
            return Refusal(errors.ROOM_NOT_LIVE, f"{room.creator_name} is not live right now. Nothing was charged.")
        if command.to is not None and command.to != room.creator:
            return Refusal(codes.BAD_REQUEST, f"`to` must be this room's creator, {room.creator}.")
        if gift is None or not self._catalog.available(gift, None, datetime.now(UTC)):
            return Refusal(
                errors.GIFT_UNAVAILABLE, f"There is no gift {command.gift} to send now. Reload the catalogue."
            )
        if command.price_coins is not None and command.price_coins != gift.coins:
            return Refusal(
                errors.PRICE_CHANGED,
                f"This gift costs {gift.coins} coins now. Nothing was charged.",
                {"price_coins": gift.coins},
            )
        if gift.coins * command.quantity > COINS_MAX:
            return Refusal(codes.BAD_REQUEST, f"One gift may not exceed {COINS_MAX} coins.")
        return None

    async def _earlier(self, user: str, key: str, request_hash: str) -> Receipt | Refusal | None:
        """What the key already bought: a room that closed or a price that changed since does not undo it."""
        try:
            outcome = await self._ledger.earlier(user, key, request_hash)
        except (RedisError, OSError, TimeoutError):
            return Refusal(
                errors.UNKNOWN_OUTCOME,
                "The ledger did not answer. Send the same key again.",
                {"retry_after_ms": RETRY_AFTER_MS},
            )
        if isinstance(outcome, Refused):
            return explain(outcome, 0)
        return receipt_of(key, outcome) if outcome is not None else None

    async def status(self, user: str, key: str) -> Receipt | None:
        """What became of a key of this user: settled, refunded, accepted; None when nothing was charged under it (yet).

        While the database is away a gift that Redis knows is accepted, whether it is settled or not. Raises RedisError,
        OSError, TimeoutError or the database driver's errors when the engine that would know is away.
        """
        away: Exception | None = None
        try:
            async with asyncio.timeout(DATABASE_S):
                settled = await gift_by_key(self._database, user, key)
        except DATABASE_ERRORS as problem:
            if not is_away(problem):
                raise
            away, settled = problem, None
        if settled is not None:
            state = "refunded" if settled.refunded else "settled"
            return Receipt(settled.transfer, key, settled.coins, settled.diamonds, settled.balance_coins, state)
        outcome = await self._ledger.receipt(user, key)
        if isinstance(outcome, Accepted):
            return receipt_of(key, outcome)
        if away is not None:  # Redis forgets keys after 15 minutes: "never charged" is not for it to say
            raise away
        return None


def time_of_key(key: str) -> int | None:
    """Unix ms in a canonical UUIDv7, or None when it is not one."""
    return int(key[:8] + key[9:13], 16) if KEY.fullmatch(key) else None


def hash_request(room_id: str, command: SendGift) -> str:
    """Hash of everything a key stands for: the same key with another body is refused."""
    return _hash(room_id, command.gift, command.quantity, command.price_coins, command.to, command.note)


@lru_cache(HASHES_MAX)
def _hash(*parts: str | int | None) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def receipt_of(key: str, outcome: Accepted) -> Receipt:
    """The receipt of an accepted gift; the same for every resend of its key."""
    transfer = transfer_id(outcome.shard, outcome.epoch, outcome.seq)
    return Receipt(transfer, key, outcome.coins, outcome.diamonds, outcome.balance_coins, "accepted")


def explain(refused: Refused, coins: int) -> Refusal:
    """A ledger's refusal in words a viewer understands."""
    match refused.reason:
        case Reason.INSUFFICIENT:
            balance = refused.balance_coins or 0
            have = f"You have {balance} coin{'' if balance == 1 else 's'} left"
            return Refusal(errors.INSUFFICIENT_COINS, f"{have}. This gift is {coins}.", {"balance_coins": balance})
        case Reason.SELF_GIFT:
            return Refusal(errors.SELF_GIFT, "You cannot send gifts to yourself.")
        case Reason.KEY_REUSED:
            return Refusal(errors.KEY_REUSED, "This key was used for another gift. Make a new key for each gift.")
        case Reason.KEY_EXPIRED:
            return Refusal(
                errors.KEY_EXPIRED,
                "This key is older than 10 minutes or ahead of time. Ask GET /v1/gifts/{key}, then make a new key.",
            )
        case Reason.FROZEN:
            return Refusal(errors.WALLET_FROZEN, "This wallet is on hold. Nothing was charged.")
        case Reason.LIMIT:
            assert refused.limit is not None
            return too_many(refused.limit, coins)
        case Reason.BAD_AMOUNT:
            return Refusal(codes.BAD_REQUEST, "The amount is out of range. Nothing was charged.")
        case Reason.UNKNOWN:
            return Refusal(
                errors.UNKNOWN_OUTCOME,
                "No answer in time. Send the same key again to learn the outcome.",
                {"retry_after_ms": RETRY_AFTER_MS},
            )
        case Reason.TRY_AGAIN:
            return Refusal(
                codes.UNAVAILABLE,
                "Gifts cannot be taken right now. Nothing was charged; send the same key again.",
                {"retry_after_ms": RETRY_AFTER_MS},
            )

"""The live ledger: decides gifts, loads wallets, applies credits.

A gift goes submit → the shard's queue → one script call with what the loop turn brought → outcome. Refusals that
Redis can heal (wallet not loaded, newer epoch) are retried with the same key for `retry_s`; money calls have no
client-side retry, and a call that got no answer is UNKNOWN.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from giftserver.cluster.pipe import NotSent, Pipes
from giftserver.ledger import keys
from giftserver.ledger.epochs import STALE, Epochs
from giftserver.ledger.guarded import GuardedScript, RunNotApproved
from giftserver.ledger.limits import NONE, read_limit
from giftserver.ledger.lookups import Lookups
from giftserver.ledger.outcomes import Accepted, GiftOrder, Outcome, Reason, Refused
from giftserver.ledger.sources import WalletSource
from giftserver.ledger.unsettled import Unsettled, look_after
from giftserver.ledger.wallets import RETRY_S, RETRY_STEP_S, Wallets

log = structlog.get_logger()

BATCH_MAX: Final = 64
"""Gifts in a call. A shard has one call on its way, so that each sender's gifts are decided in their order."""

QUEUE_MAX: Final = 4_096
"""Gifts of a shard that wait for their call; more are refused, to be sent again."""

RECEIPT_TTL_MS: Final = 900_000
LOOK_AFTER_S: Final = 0.5
DAY_S: Final = 86_400
HEALED: Final = ("NOT_LOADED", "STALE_DAY", "STALE_WINDOW", "KEY_UNSEEN")
FINAL: Final = {reason.value for reason in Reason} - {Reason.TRY_AGAIN.value, Reason.UNKNOWN.value}

_encode_terms = msgspec.msgpack.Encoder().encode
_decode_reply = msgspec.msgpack.Decoder(tuple[int, list[Accepted | bool], list[tuple[str, str]]]).decode
_decode_receipt = msgspec.msgpack.Decoder(tuple[str, int, int, int, int, int, int], strict=False).decode


Told = Callable[[Outcome], None]
"""Takes an outcome; must not raise."""

_Pending = tuple[GiftOrder, Told, float]
"""An order, who is told its outcome, and when it came (the loop's clock, s)."""


class Ledger:
    """One process's access to the ledger's Redis. Methods never raise for an engine that is away: they refuse."""

    def __init__(
        self,
        redis: Redis,
        wallets: WalletSource,
        *,
        backlog_max: int,
        timeout_s: float,
        day_coins_max: int = NONE,
        on_batch: Callable[[int, float], None] = lambda gifts, seconds: None,
    ) -> None:
        self._redis: Any = redis
        self._source = wallets
        self._backlog_max, self._timeout_s, self._on_batch = backlog_max, timeout_s, on_batch
        self._day_coins_max = day_coins_max
        self._queues: list[list[_Pending]] = [[] for _ in range(keys.SHARDS)]
        self._workers: list[asyncio.Task[None] | None] = [None] * keys.SHARDS
        self._epochs = Epochs(redis)
        self._pipes = Pipes(redis, timeout_s)
        self._script = GuardedScript(redis, "send_gifts.lua", self._pipes)
        self._day = int(time.time() // DAY_S)
        self._lookups = Lookups(wallets)
        self._unsettled = Unsettled()
        self._keeper: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self.wallets = Wallets(redis, wallets, self._epochs, self._pipes, timeout_s)

    def start(self) -> None:
        """Look after accepted gifts until `close`: those that Redis loses are sent again."""
        self._keeper = asyncio.get_running_loop().create_task(self._keep(), name="unsettled gifts")

    async def _keep(self) -> None:
        while not self._closing.is_set():
            try:
                await look_after(self._redis, self._source, self._unsettled, self.send)
            except Exception as problem:  # the durable ledger's driver has errors of its own
                log.info("unsettled_wait", error=type(problem).__name__, gifts=len(self._unsettled))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_AFTER_S):
                    await self._closing.wait()

    async def send(self, order: GiftOrder) -> Outcome:
        """Decide one gift; it shares a script call with the others of this loop turn. Cancelling does not undo it."""
        outcome = await self._submit(order)
        if isinstance(outcome, Refused) and outcome.reason is Reason.TRY_AGAIN:
            return await self.again(order, outcome)
        return outcome

    def post(self, order: GiftOrder, told: Told) -> None:
        """Decide one gift without a task: `told` gets its first outcome, in the order of the shard's gifts.

        TRY_AGAIN is told as it is; `again` does what may still be done about it.
        """
        shard = keys.shard_of(order.sender)
        queue = self._queues[shard]
        if self._closing.is_set() or len(queue) >= QUEUE_MAX:
            told(Refused(Reason.TRY_AGAIN, "QUEUE"))
            return
        loop = asyncio.get_running_loop()
        queue.append((order, told, loop.time()))
        if self._workers[shard] is None:
            self._workers[shard] = loop.create_task(self._work(shard))

    async def again(self, order: GiftOrder, outcome: Outcome) -> Outcome:
        """Retry what may be healed of a gift that was told TRY_AGAIN, with the same key."""
        deadline_s = asyncio.get_running_loop().time() + RETRY_S
        looked_again = False
        while isinstance(outcome, Refused) and outcome.reason is Reason.TRY_AGAIN:
            if outcome.detail in STALE:
                self._epochs.forget(keys.shard_of(order.sender))
                if looked_again:  # it is closed, not only of before its last opening
                    return outcome
                looked_again = True
            elif outcome.detail == "KEY_UNSEEN":
                found = await self._look_up(order)
                if not isinstance(found, GiftOrder):
                    return found or outcome
                if asyncio.get_running_loop().time() > deadline_s:
                    return outcome
                order = found
            else:
                healed = await self._heal(order.sender, outcome.detail)
                if not healed or asyncio.get_running_loop().time() > deadline_s:
                    return outcome
                if healed == "wait":
                    await asyncio.sleep(RETRY_STEP_S)
            outcome = await self._submit(order)
        return outcome

    async def _look_up(self, order: GiftOrder) -> GiftOrder | Outcome | None:
        """What the key bought before the shard was filled again, or the order with the mark that it bought nothing.

        None when PostgreSQL cannot tell now. The epoch is read first: what is posted later than the answer was decided
        in it, or in a later one, and its receipt is in Redis.
        """
        shard = keys.shard_of(order.sender)
        try:
            epoch, _ = self._epochs.known(shard) or await self._epochs.read(shard, self._timeout_s)
            past = await self._past(order.sender, order.key, order.request_hash)
            if isinstance(past, Accepted):  # decided just now perhaps: a receipt has the balance that was told then
                past = await self.receipt(order.sender, order.key) or past
        except Exception as problem:  # the durable ledger's driver has errors of its own
            log.warning("key_not_looked_up", error=type(problem).__name__)
            return None
        return past or msgspec.structs.replace(order, looked=int(epoch))

    async def _past(self, user: str, key: str, request_hash: str) -> Outcome | None:
        """What PostgreSQL says of a key, None when it has no gift of it. Raises the source's errors."""
        past = await self._lookups.find(user, key)
        if past is None:
            return None
        if past.request_hash != request_hash:
            return Refused(Reason.KEY_REUSED)
        shard, amounts = keys.shard_of(user), (past.coins, past.diamonds, past.balance_coins)
        return Accepted(shard, past.epoch, past.seq, *amounts, past.at_ms, repeated=True)

    def _submit(self, order: GiftOrder) -> asyncio.Future[Outcome]:
        decided: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def told(outcome: Outcome) -> None:
            if not decided.done():  # else the caller was cancelled
                decided.set_result(outcome)

        self.post(order, told)
        return decided

    async def _work(self, shard: int) -> None:
        queue = self._queues[shard]
        try:
            while queue:
                self._turn_away(queue)
                batch = queue[:BATCH_MAX]
                del queue[:BATCH_MAX]
                try:
                    outcomes = await self._decide(shard, [order for order, _, _ in batch]) if batch else []
                except Exception as problem:  # whatever it is, nobody may wait for ever
                    log.error("gifts_undecided", error=type(problem).__name__, gifts=len(batch))
                    outcomes = [Refused(Reason.UNKNOWN, type(problem).__name__)] * len(batch)
                for (_, told, _), outcome in zip(batch, outcomes, strict=True):
                    _tell(told, outcome)
        finally:
            # Here, not when the task is done: a gift that came in between would wait for a worker that has ended.
            self._workers[shard] = None

    def _turn_away(self, queue: list[_Pending]) -> None:
        """Refuse what waits for longer than a call may take: no gift waits for one stalled call after another."""
        since_s = asyncio.get_running_loop().time() - self._timeout_s
        late = next((place for place, (_, _, came_s) in enumerate(queue) if came_s > since_s), len(queue))
        turned_away = queue[:late]
        del queue[:late]
        for _, told, _ in turned_away:
            _tell(told, Refused(Reason.TRY_AGAIN, "QUEUE"))

    async def _decide(self, shard: int, orders: Sequence[GiftOrder]) -> list[Outcome]:
        started_s = time.perf_counter()
        try:
            epoch, run = self._epochs.known(shard) or await self._epochs.read(shard, self._timeout_s)
        except (RedisError, OSError, TimeoutError) as problem:
            return [Refused(Reason.TRY_AGAIN, type(problem).__name__)] * len(orders)
        names, args = self._call(shard, epoch, orders)
        try:
            flushed, accepted, refused = _decode_reply(await self._script(shard, run, names, args))
        except RunNotApproved:
            return [Refused(Reason.TRY_AGAIN, "FENCED")] * len(orders)
        except (TimeoutError, RedisTimeoutError):
            return [Refused(Reason.UNKNOWN, "timeout")] * len(orders)
        except RedisError as problem:
            return [_call_failed(shard, problem)] * len(orders)
        except OSError as problem:
            return [Refused(Reason.UNKNOWN, type(problem).__name__)] * len(orders)
        self._on_batch(len(orders), time.perf_counter() - started_s)
        self._unsettled.add_all(epoch, accepted, orders)
        self._unsettled.settle(shard, epoch, flushed)
        if refused and refused[0][0] == "STALE_DAY":
            self._day = int(refused[0][1])
        reasons = iter(refused)
        return [o if isinstance(o, Accepted) else _refusal(shard, *next(reasons)) for o in accepted]

    def _call(self, shard: int, epoch: str, orders: Sequence[GiftOrder]) -> tuple[list[str], list[str | int | bytes]]:
        """Keys and arguments of one script call."""
        names = [keys.meta(shard), keys.events(shard), keys.earned(shard, _name_of(self._day))]
        wallets, receipts = keys.wallet(shard, ""), keys.receipts(shard)
        terms = []
        payloads = []
        for order in orders:
            sender = order.sender
            names += (f"{wallets}{sender}", f"{receipts}{sender}:{order.key}")
            terms.append(
                (order.key_ms, order.request_hash, sender, order.creator, order.coins, order.diamonds, order.looked)
            )
            payloads.append(order.payload)
        limits = (epoch, keys.SCHEMA, self._backlog_max, RECEIPT_TTL_MS, self._day, shard, self._day_coins_max)
        return names, [*limits, *payloads, _encode_terms(terms)]

    async def _heal(self, user: str, detail: str) -> str:
        """What to do about a refusal that may pass: "" give up, "now" retry at once, "wait" retry after a moment."""
        if detail == "STALE_DAY":
            return "now"
        if detail in ("NOT_LOADED", "STALE_WINDOW"):
            try:
                if detail == "STALE_WINDOW":
                    healed = await self.wallets.roll_windows(user)
                else:
                    healed = await self.wallets.load(user) is not None
            except Exception as problem:  # the durable ledger's driver has errors of its own
                log.warning("wallet_not_loaded", error=type(problem).__name__)
                return ""
            return "now" if healed else "wait"
        return ""

    async def bring_credits(self, user: str) -> tuple[int, int] | None:
        """See Wallets.bring_credits."""
        return await self.wallets.bring_credits(user)

    async def balance(self, user: str) -> int | None:
        """See Wallets.balance."""
        return await self.wallets.balance(user)

    async def receipt(self, user: str, key: str, request_hash: str | None = None) -> Accepted | Refused | None:
        """What became of a key in the last 15 minutes; None when Redis does not know it (any more).

        Raises RedisError, OSError or TimeoutError when Redis does not answer.
        """
        shard = keys.shard_of(user)
        async with asyncio.timeout(self._timeout_s):
            stored = await self._pipes.call(shard, "GET", keys.receipt(shard, user, key))
        if stored is None:
            return None
        seen_hash, epoch, seq, coins, diamonds, balance, at_ms = _decode_receipt(stored)
        if request_hash is not None and seen_hash != request_hash:
            return Refused(Reason.KEY_REUSED)
        return Accepted(shard, int(epoch), int(seq), int(coins), int(diamonds), int(balance), int(at_ms), repeated=True)

    async def earlier(self, user: str, key: str, request_hash: str) -> Outcome | None:
        """What a key already bought, or that it stands for something else; None when nothing is known.

        Raises RedisError, OSError or TimeoutError when Redis does not answer.
        """
        found = await self.receipt(user, key, request_hash)
        if found is None:
            with contextlib.suppress(
                Exception
            ):  # PostgreSQL is away: the durable ledger's driver has errors of its own
                async with asyncio.timeout(self._timeout_s):
                    found = await self._past(user, key, request_hash)
        return found

    async def flushed(self, shard: int) -> int:
        """Sequence number up to which the shard is in the durable ledger."""
        async with asyncio.timeout(self._timeout_s):
            return int(await self._redis.hget(keys.meta(shard), "flushed") or 0)

    async def close(self) -> None:
        """Wait for the gifts that are being decided; what is not settled by then is another process's to look after."""
        self._closing.set()
        if self._keeper is not None:
            await self._keeper
        workers = [worker for worker in self._workers if worker is not None]
        await asyncio.gather(*workers, return_exceptions=True)
        await self._pipes.close()


@lru_cache(2)
def _name_of(day: int) -> str:
    """A day since 1970 as yyyymmdd."""
    return time.strftime("%Y%m%d", time.gmtime(day * DAY_S))


def _tell(told: Told, outcome: Outcome) -> None:
    try:
        told(outcome)
    except Exception:  # the others of the call must be told all the same
        log.exception("outcome_not_taken")


def _refusal(shard: int, state: str, detail: str) -> Refused:
    if state == "INSUFFICIENT":
        return Refused(Reason.INSUFFICIENT, balance_coins=int(detail))
    if state == "LIMIT":
        return Refused(Reason.LIMIT, limit=read_limit(detail))
    if state in FINAL:
        return Refused(Reason(state))
    if state not in STALE and state not in HEALED:
        log.warning("gift_try_again", state=state, detail=detail, shard=shard)
    return Refused(Reason.TRY_AGAIN, state)


def _call_failed(shard: int, problem: RedisError) -> Refused:
    """An error as the reply means that nothing was decided, as for a call not sent; a lost reply leaves it unknown."""
    reason = Reason.TRY_AGAIN if isinstance(problem, ResponseError | NotSent) else Reason.UNKNOWN
    log.warning("gifts_not_decided", shard=shard, reason=reason.value, error=type(problem).__name__)
    return Refused(reason, type(problem).__name__)

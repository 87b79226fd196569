"""The live ledger: decides gifts, loads wallets, applies credits.

A gift goes submit → the shard's queue → one script call with what the loop turn brought → outcome. Refusals that
Redis can heal (wallet not loaded, newer epoch) are retried with the same key for `retry_s`; money calls have no
client-side retry, and a call that got no answer is UNKNOWN.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, Final, Protocol

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from giftserver.ledger import keys
from giftserver.ledger.outcomes import Accepted, GiftOrder, Outcome, Reason, Refused

log = structlog.get_logger()

BATCH_MAX: Final = 64
RECEIPT_TTL_MS: Final = 900_000
SCAN_MAX: Final = 2_000
RETRY_S: Final = 2.0
RETRY_STEP_S: Final = 0.02
FINAL: Final = {reason.value for reason in Reason} - {Reason.TRY_AGAIN.value, Reason.UNKNOWN.value}
STALE: Final = {"STALE_EPOCH", "FENCED", "SCHEMA"}

_decode_receipt = msgspec.msgpack.Decoder(list[str]).decode


class WalletSnapshot(Protocol):
    """A wallet in the durable ledger at the shard's flush cursor, read in one snapshot."""

    @property
    def coins(self) -> int:
        """Balance with every gift up to the cursor."""
        ...

    @property
    def credit_no(self) -> int:
        """Newest credit in `coins`."""
        ...

    @property
    def cursor_epoch(self) -> int:
        """Epoch of the shard's flush cursor."""
        ...

    @property
    def cursor_seq(self) -> int:
        """Sequence number of the shard's flush cursor."""
        ...


class Credit(Protocol):
    """A numbered credit of the outbox."""

    @property
    def credit_no(self) -> int:
        """Its number, counted per user from 1."""
        ...

    @property
    def coins(self) -> int:
        """Coins it brings."""
        ...


class WalletSource(Protocol):
    """The durable ledger, as far as loading a wallet needs it."""

    def snapshot(self, user: str, shard: int) -> Awaitable[WalletSnapshot]:
        """The user's wallet now."""
        ...

    def credits_after(self, user: str, credit_no: int) -> Awaitable[Sequence[Credit]]:
        """Credits numbered after `credit_no`, in order."""
        ...


@dataclass(slots=True)
class _Pending:
    order: GiftOrder
    outcome: asyncio.Future[Outcome]


class Ledger:
    """One process's access to the ledger's Redis. Methods never raise for an engine that is away: they refuse."""

    def __init__(
        self,
        redis: Redis,
        wallets: WalletSource,
        *,
        backlog_max: int,
        timeout_s: float,
        on_batch: Callable[[int, float], None] = lambda gifts, seconds: None,
    ) -> None:
        self._redis: Any = redis
        self._wallets = wallets
        self._backlog_max, self._timeout_s, self._on_batch = backlog_max, timeout_s, on_batch
        self._queues: list[list[_Pending]] = [[] for _ in range(keys.SHARDS)]
        self._workers: list[asyncio.Task[None] | None] = [None] * keys.SHARDS
        self._epochs: dict[int, str] = {}
        scripts = files("giftserver.ledger") / "scripts"

        def script(name: str) -> Any:
            return self._redis.register_script((scripts / name).read_text())

        self._send, self._load = script("send_gifts.lua"), script("load_wallet.lua")
        self._credit = script("apply_credit.lua")

    async def send(self, order: GiftOrder) -> Outcome:
        """Decide one gift; it shares a script call with the others of this loop turn. Cancelling does not undo it."""
        deadline_s = asyncio.get_running_loop().time() + RETRY_S
        while True:
            outcome = await asyncio.shield(self._submit(order))
            if not isinstance(outcome, Refused) or outcome.reason is not Reason.TRY_AGAIN:
                return outcome
            healed = await self._heal(order.sender, outcome.detail)
            if not healed or asyncio.get_running_loop().time() > deadline_s:
                return outcome
            if healed == "wait":
                await asyncio.sleep(RETRY_STEP_S)

    def _submit(self, order: GiftOrder) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        shard = keys.shard_of(order.sender)
        pending = _Pending(order, loop.create_future())
        self._queues[shard].append(pending)
        worker = self._workers[shard]
        if worker is None or worker.done():
            self._workers[shard] = loop.create_task(self._work(shard), name=f"ledger shard {shard}")
        return pending.outcome

    async def _work(self, shard: int) -> None:
        queue = self._queues[shard]
        while queue:
            batch = queue[:BATCH_MAX]
            del queue[:BATCH_MAX]
            outcomes = await self._decide(shard, [pending.order for pending in batch])
            for pending, outcome in zip(batch, outcomes, strict=True):
                if not pending.outcome.done():
                    pending.outcome.set_result(outcome)

    async def _decide(self, shard: int, orders: Sequence[GiftOrder]) -> list[Outcome]:
        started_s = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._timeout_s):
                epoch = await self._epoch(shard)
        except (RedisError, OSError, TimeoutError) as problem:
            return [Refused(Reason.TRY_AGAIN, type(problem).__name__)] * len(orders)
        names = [keys.meta(shard), keys.events(shard)]
        args: list[str | int | bytes] = [epoch, keys.SCHEMA, self._backlog_max, RECEIPT_TTL_MS]
        earned = keys.earned(shard, _today())
        for order in orders:
            names += [keys.wallet(shard, order.sender), keys.receipt(shard, order.sender, order.key), earned]
            args += [order.sender, order.creator, order.request_hash, order.coins, order.diamonds]
            args += [order.payload, order.key_ms]
        try:
            async with asyncio.timeout(self._timeout_s):
                rows = await self._send(keys=names, args=args)
        except (TimeoutError, RedisTimeoutError):
            return [Refused(Reason.UNKNOWN, "timeout")] * len(orders)
        except RedisError as problem:
            return [_call_failed(problem)] * len(orders)
        except OSError as problem:
            return [Refused(Reason.UNKNOWN, type(problem).__name__)] * len(orders)
        self._on_batch(len(orders), asyncio.get_running_loop().time() - started_s)
        return [_outcome(shard, row) for row in rows]

    async def _epoch(self, shard: int) -> str:
        epoch = self._epochs.get(shard)
        if epoch is None:
            stored = await self._redis.hget(keys.meta(shard), "epoch")
            epoch = stored.decode() if stored else "0"
            self._epochs[shard] = epoch
        return epoch

    async def _heal(self, user: str, detail: str) -> str:
        """What to do about a refusal that may pass: "" give up, "now" retry at once, "wait" retry after a moment."""
        if detail in STALE:
            self._epochs.pop(keys.shard_of(user), None)
            return "now" if detail == "STALE_EPOCH" else ""
        if detail == "NOT_LOADED":
            try:
                loaded = await self._load_wallet(user)
            except Exception as problem:  # the durable ledger's driver has errors of its own
                log.warning("wallet_not_loaded", error=type(problem).__name__)
                return ""
            return "now" if loaded is not None else "wait"
        return ""

    async def _load_wallet(self, user: str) -> int | None:
        """Install the user's wallet from the durable ledger; its coins, or None when it must wait for the flusher."""
        shard = keys.shard_of(user)
        snapshot = await self._wallets.snapshot(user, shard)
        epoch = await self._epoch(shard)
        reply = await self._load(
            keys=[keys.meta(shard), keys.events(shard), keys.wallet(shard, user)],
            args=[
                epoch,
                keys.SCHEMA,
                user,
                snapshot.coins,
                snapshot.credit_no,
                snapshot.cursor_epoch,
                snapshot.cursor_seq,
                SCAN_MAX,
            ],
        )
        state = reply[0].decode()
        if state in STALE:
            self._epochs.pop(shard, None)
            return None
        if state not in ("OK", "PRESENT"):
            log.warning("wallet_load_waits", state=state, shard=shard)
            return None
        # A credit that committed after the snapshot found no wallet to go to: it is taken here.
        brought = await self._apply_credits(user, shard)
        return brought[0] if brought is not None else None

    async def bring_credits(self, user: str) -> tuple[int, int] | None:
        """Apply every outbox credit the wallet lacks, loading it if needed: (coins, newest credit_no) after that.

        None when that is not possible now. Raises RedisError, OSError, TimeoutError or the database driver's errors:
        repeat it, the numbers make it safe.
        """
        shard = keys.shard_of(user)
        async with asyncio.timeout(RETRY_S + self._timeout_s):
            return await self._apply_credits(user, shard) or (
                await self._apply_credits(user, shard) if await self._load_wallet(user) is not None else None
            )

    async def _apply_credits(self, user: str, shard: int) -> tuple[int, int] | None:
        coins, credit_no = await self._redis.hmget(keys.wallet(shard, user), "coins", "credit_no")
        if coins is None:
            return None
        balance, last = int(coins), int(credit_no)
        for credit in await self._wallets.credits_after(user, last):
            reply = await self._credit(
                keys=[keys.meta(shard), keys.wallet(shard, user)],
                args=[await self._epoch(shard), keys.SCHEMA, credit.credit_no, credit.coins],
            )
            state = reply[0].decode()
            if state in STALE:
                self._epochs.pop(shard, None)
            if state not in ("OK", "REPEAT"):
                log.warning("credit_waits", state=state, shard=shard)
                return None
            balance, last = int(reply[1]), credit.credit_no
        return balance, last

    async def balance(self, user: str) -> int | None:
        """The user's coins now, loading the wallet if needed; None while that is not possible."""
        shard = keys.shard_of(user)
        deadline_s = asyncio.get_running_loop().time() + RETRY_S
        try:
            while asyncio.get_running_loop().time() < deadline_s:
                async with asyncio.timeout(self._timeout_s):
                    coins = await self._redis.hget(keys.wallet(shard, user), "coins")
                    if coins is not None:
                        return int(coins)
                    loaded = await self._load_wallet(user)
                if loaded is not None:
                    return loaded
                await asyncio.sleep(RETRY_STEP_S)
        except Exception as problem:  # see _heal
            log.warning("balance_unknown", error=type(problem).__name__)
        return None

    async def receipt(self, user: str, key: str, request_hash: str | None = None) -> Accepted | Refused | None:
        """What became of a key in the last 15 minutes; None when Redis does not know it.

        Raises RedisError, OSError or TimeoutError when Redis does not answer.
        """
        shard = keys.shard_of(user)
        async with asyncio.timeout(self._timeout_s):
            stored = await self._redis.get(keys.receipt(shard, user, key))
        if stored is None:
            return None
        seen_hash, epoch, seq, coins, diamonds, balance, at_ms = _decode_receipt(stored)
        if request_hash is not None and seen_hash != request_hash:
            return Refused(Reason.KEY_REUSED)
        return Accepted(shard, int(epoch), int(seq), int(coins), int(diamonds), int(balance), int(at_ms), repeated=True)

    async def flushed(self, shard: int) -> int:
        """Sequence number up to which the shard is in the durable ledger."""
        async with asyncio.timeout(self._timeout_s):
            return int(await self._redis.hget(keys.meta(shard), "flushed") or 0)

    async def close(self) -> None:
        """Wait for the gifts that are being decided."""
        workers = [worker for worker in self._workers if worker is not None and not worker.done()]
        await asyncio.gather(*workers, return_exceptions=True)


def _outcome(shard: int, row: list[bytes]) -> Outcome:
    state = row[0].decode()
    if state in ("OK", "REPEAT"):
        epoch, seq, coins, diamonds, balance, at_ms = (int(value) for value in row[1:])
        return Accepted(shard, epoch, seq, coins, diamonds, balance, at_ms, repeated=state == "REPEAT")
    if state == "INSUFFICIENT":
        return Refused(Reason.INSUFFICIENT, balance_coins=int(row[1]))
    if state in FINAL:
        return Refused(Reason(state))
    if state not in STALE and state != "NOT_LOADED":
        log.warning("gift_try_again", state=state, detail=row[1].decode(errors="replace"), shard=shard)
    return Refused(Reason.TRY_AGAIN, state)


def _call_failed(problem: RedisError) -> Refused:
    """A reply that is an error means nothing was decided; a lost connection leaves the outcome unknown."""
    reason = Reason.TRY_AGAIN if isinstance(problem, ResponseError) else Reason.UNKNOWN
    return Refused(reason, type(problem).__name__)


def _today() -> str:
    """UTC day as yyyymmdd."""
    return time.strftime("%Y%m%d", time.gmtime())

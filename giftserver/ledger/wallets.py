"""Wallets in Redis: loaded from the durable ledger when they are not there, and brought their credits.

A wallet that is missing is never taken for an empty one. All that miss at the same time in a shard are loaded
together: one snapshot of PostgreSQL, one script call.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import structlog

from giftserver.cluster.pipe import Pipes
from giftserver.ledger import keys
from giftserver.ledger.epochs import STALE, Epochs
from giftserver.ledger.guarded import GuardedScript, RunNotApproved
from giftserver.ledger.limits import Limits, Spending, Spent, several, unlimited, windows
from giftserver.ledger.sources import WalletSnapshot, WalletSource

log = structlog.get_logger()

SCAN_MAX: Final = 2_000
LOAD_MAX: Final = 500
RETRY_S: Final = 2.0
RETRY_STEP_S: Final = 0.02

encode = msgspec.msgpack.Encoder().encode
decode_limits = msgspec.msgpack.Decoder(Limits, strict=False).decode
decode_spent = msgspec.msgpack.Decoder(Spent, strict=False).decode


class Wallets:
    """One process's loading of wallets and credits."""

    def __init__(self, redis: Any, source: WalletSource, epochs: Epochs, pipes: Pipes, timeout_s: float) -> None:
        self._redis, self._source, self._epochs, self._timeout_s = redis, source, epochs, timeout_s
        self._pipes = pipes
        self._script = GuardedScript(redis, "load_wallets.lua")
        self._credit = GuardedScript(redis, "apply_credit.lua")
        self._state = GuardedScript(redis, "set_state.lua")
        self._limits = GuardedScript(redis, "set_limits.lua")
        self._roll = GuardedScript(redis, "roll_windows.lua")
        self._ahead_s = 0.0
        self._wanted: list[dict[str, asyncio.Future[int | None]]] = [{} for _ in range(keys.SHARDS)]
        self._tasks: set[asyncio.Task[None]] = set()

    async def load(self, user: str) -> int | None:
        """Install the user's wallet if it is missing; its coins, or None when it must wait for flusher or coordinator.

        Raises redis-py's errors and those of the source.
        """
        shard = keys.shard_of(user)
        wanted = self._wanted[shard]
        if user not in wanted:
            wanted[user] = asyncio.get_running_loop().create_future()
            if len(wanted) == 1:
                task = asyncio.create_task(self._load_wanted(shard), name=f"load wallets of shard {shard}")
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(wanted[user])

    async def _load_wanted(self, shard: int) -> None:
        await asyncio.sleep(0)  # let the rest of this loop turn join
        wanted, self._wanted[shard] = self._wanted[shard], {}
        users = list(wanted)
        for start in range(0, len(users), LOAD_MAX):
            some = users[start : start + LOAD_MAX]
            try:
                coins = await self._load(shard, some)
                outcomes: list[int | Exception | None] = list(coins)
            except Exception as problem:  # the durable ledger's driver has errors of its own; each waiting call gets it
                outcomes = [problem] * len(some)
            for user, outcome in zip(some, outcomes, strict=True):
                future = wanted[user]
                if isinstance(outcome, Exception):
                    future.set_exception(outcome)
                    future.exception()  # a caller that was cancelled leaves nobody to read it
                else:
                    future.set_result(outcome)

    async def _load(self, shard: int, users: Sequence[str]) -> list[int | None]:
        believed_s = self._ahead_s
        coins = await self.install(shard, await self._source.snapshot(users, shard, self.now_s()), users)
        if self._ahead_s != believed_s:  # the clocks differ, or a day ended just now
            coins = await self.install(shard, await self._source.snapshot(users, shard, self.now_s()), users)
        return coins

    def now_s(self) -> float:
        """The time by the ledger's Redis, as far as it is known: Unix seconds."""
        return time.time() + self._ahead_s

    async def install(self, shard: int, snapshot: WalletSnapshot, users: Sequence[str]) -> list[int | None]:
        """Install those wallets of a snapshot that are missing; each one's coins, None where it has to wait."""
        for _ in range(2):  # what this process knows of the shard may be of before its last opening
            rows = await self._install(shard, snapshot, users)
            if rows is not None:
                for row in rows:
                    if row[0] == b"WINDOW":
                        self._ahead_s = int(row[1]) - time.time()
                return [int(row[1]) if row[0] in (b"OK", b"PRESENT") else None for row in rows]
        return [None] * len(users)

    async def _install(self, shard: int, snapshot: WalletSnapshot, users: Sequence[str]) -> list[list[bytes]] | None:
        """Rows of the script, None when the shard does not load wallets now."""
        names = [keys.meta(shard), keys.events(shard), *(keys.wallet(shard, user) for user in users)]
        epoch, run = self._epochs.known(shard) or await self._epochs.read(shard, self._timeout_s)
        args: list[str | int | bytes] = [epoch, keys.SCHEMA, *snapshot.cursor, SCAN_MAX]
        for user in users:
            state = snapshot.wallets[user]
            args += [user, state.coins, state.credit_no, "held" if state.held else "active", state.state_no]
            args += _arguments(state.spending or unlimited(self.now_s()))
        try:
            first, *rows = await self._script(shard, run, names, args)
        except RunNotApproved:
            self._epochs.forget(shard)
            return None
        said = first[0].decode()
        if said in STALE:
            self._epochs.forget(shard)
        if said != "OK":
            log.info("wallets_wait", state=said, shard=shard, wallets=len(users))
            return None
        if any(row[0] == b"NEGATIVE" for row in rows):
            log.error("wallet_below_zero", shard=shard)
        result: list[list[bytes]] = rows
        return result

    async def bring_credits(self, user: str) -> tuple[int, int] | None:
        """Apply every outbox credit the wallet lacks, loading it if needed: (coins, newest credit_no) after that.

        None when that is not possible now. Raises RedisError, OSError, TimeoutError or the database driver's errors:
        repeat it, the numbers make it safe.
        """
        async with asyncio.timeout(RETRY_S + self._timeout_s):
            brought = await self._apply_credits(user)
            if brought is None and await self.load(user) is not None:
                brought = await self._apply_credits(user)
            return brought

    async def _apply_credits(self, user: str) -> tuple[int, int] | None:
        shard = keys.shard_of(user)
        coins, credit_no = await self._redis.hmget(keys.wallet(shard, user), "coins", "credit_no")
        if coins is None:
            return None
        balance, last = int(coins), int(credit_no)
        for credit in await self._source.credits_after(user, last):
            names = [keys.meta(shard), keys.wallet(shard, user)]
            epoch, run = self._epochs.known(shard) or await self._epochs.read(shard, self._timeout_s)
            try:
                reply = await self._credit(shard, run, names, [epoch, keys.SCHEMA, credit.credit_no, credit.coins])
            except RunNotApproved:
                self._epochs.forget(shard)
                return None
            state = reply[0].decode()
            if state in STALE:
                self._epochs.forget(shard)
            if state not in ("OK", "REPEAT"):
                log.warning("credit_waits", state=state, shard=shard)
                return None
            balance, last = int(reply[1]), credit.credit_no
        return balance, last

    async def set_state(self, user: str, number: int, *, held: bool) -> int | None:
        """Bring a wallet's state, loading the wallet if needed; the number of the user's last gift after that.

        None when that is not possible now. Raises as `bring_credits`; an older number changes nothing.
        """
        async with asyncio.timeout(RETRY_S + self._timeout_s):
            last = await self._set_state(user, number, held)
            if last is None and await self.load(user) is not None:
                last = await self._set_state(user, number, held)
            return last

    async def _set_state(self, user: str, number: int, held: bool) -> int | None:
        shard = keys.shard_of(user)
        names = [keys.meta(shard), keys.wallet(shard, user)]
        epoch, run = self._epochs.known(shard) or await self._epochs.read(shard, self._timeout_s)
        try:
            reply = await self._state(shard, run, names, [epoch, keys.SCHEMA, number, "held" if held else "active"])
        except RunNotApproved:
            self._epochs.forget(shard)
            return None
        state = reply[0].decode()
        if state in STALE:
            self._epochs.forget(shard)
        if state == "OK" and held and reply[2] != b"held":  # a Redis that is ahead of PostgreSQL
            log.error("wallet_not_held", shard=shard)
            return None
        return int(reply[1]) if state == "OK" else None

    async def set_limits(self, user: str, number: int, limits: Limits, zones: str) -> bool:
        """Bring a person's limits to their wallet, loading it if needed; False when that is not possible now.

        Raises as `bring_credits`; an older number changes nothing.
        """
        args: list[str | int | bytes] = [number, encode(limits), zones]
        async with asyncio.timeout(RETRY_S + self._timeout_s):
            state, _ = await self._call(self._limits, user, args)
            if state == "ABSENT" and await self.load(user) is not None:
                state, _ = await self._call(self._limits, user, args)
            return state == "OK"

    async def roll_windows(self, user: str) -> bool:
        """Begin the wallet's new day or month, which a wallet of several zones is loaded anew for.

        False when that is not possible now. Raises redis-py's errors, and those of the source.
        """
        zones = (await self._redis.hget(keys.wallet(keys.shard_of(user), user), "zone") or b"").decode()
        for _ in range(2):
            if not zones:
                return await self.load(user) is not None
            around = windows(zones, self.now_s())
            ends = [around.day_from_s, around.day_until_s, around.month_from_s, around.month_until_s]
            state, detail = await self._call(self._roll, user, [zones, int(several(zones)), *ends])
            if state == "WINDOW":
                self._ahead_s = int(detail) - time.time()
            elif state == "ZONE":
                zones = detail
            elif state == "DROPPED":
                zones = ""
            else:
                return state == "OK"
        return False

    async def _call(self, script: GuardedScript, user: str, args: Sequence[str | int | bytes]) -> tuple[str, str]:
        """State and detail that a script on one wallet answers."""
        shard = keys.shard_of(user)
        names = [keys.meta(shard), keys.wallet(shard, user)]
        epoch, run = self._epochs.known(shard) or await self._epochs.read(shard, self._timeout_s)
        try:
            state, *detail = await script(shard, run, names, [epoch, keys.SCHEMA, *args])
        except RunNotApproved:
            self._epochs.forget(shard)
            return "FENCED", "run"
        if state.decode() in STALE:
            self._epochs.forget(shard)
        return state.decode(), detail[0].decode() if detail else ""

    async def spending(self, user: str) -> tuple[Limits, Spent] | None:
        """The wallet's limits and what is spent of them; None where it must be loaded. Raises redis-py's errors."""
        shard = keys.shard_of(user)
        async with asyncio.timeout(self._timeout_s):
            limits, spent = await self._pipes.call(shard, "HMGET", keys.wallet(shard, user), "limits", "spent")
        try:
            return None if limits is None or spent is None else (decode_limits(limits), decode_spent(spent))
        except msgspec.DecodeError:
            log.error("wallet_damaged", shard=shard)
            return None

    async def balance(self, user: str) -> int | None:
        """The user's coins now, loading the wallet if needed; None while that is not possible."""
        shard = keys.shard_of(user)
        deadline_s = asyncio.get_running_loop().time() + RETRY_S
        try:
            while asyncio.get_running_loop().time() < deadline_s:
                async with asyncio.timeout(self._timeout_s):
                    coins = await self._pipes.call(shard, "HGET", keys.wallet(shard, user), "coins")
                    if coins is not None:
                        return int(coins)
                    loaded = await self.load(user)
                if loaded is not None:
                    return loaded
                await asyncio.sleep(RETRY_STEP_S)
        except Exception as problem:  # whatever a driver raises, the balance is not known now
            log.warning("balance_unknown", error=type(problem).__name__)
        return None


def _arguments(spending: Spending) -> list[str | int | bytes]:
    """What load_wallets.lua takes of a person's limits."""
    around = spending.windows
    day = (around.day_from_s, around.day_until_s, spending.day_coins)
    month = (around.month_from_s, around.month_until_s, spending.month_coins)
    return [spending.number, encode(spending.limits), spending.zones, encode((*day, *month)), spending.session_coins]

"""The proof of one run: the history of what clients were told, held against PostgreSQL and Redis.

It must be asked while nothing is under way: no gift in flight, every stream flushed, every credit applied.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from redis.asyncio import Redis
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.verify import verify
from giftserver.ledger import keys
from giftserver.ledger.events import transfer_id
from tests.torture.history import Gift, History

SHOWN_MAX: Final = 50

GIFTS: Final = text(
    "SELECT t.sender, t.key, t.shard, t.epoch, t.seq, t.room, t.creator, t.gift, t.quantity, t.coins, t.diamonds,"
    " t.id FROM transfer AS t WHERE t.kind = 'gift' ORDER BY t.id"
)
CREDITS: Final = text(
    "SELECT c.user_id, c.credit_no, c.coins, t.reference, c.applied_at IS NOT NULL AS applied, t.reverses"
    " FROM credit_outbox AS c JOIN transfer AS t ON t.id = c.transfer ORDER BY c.user_id, c.credit_no"
)
BALANCES: Final = text("SELECT kind, owner, balance FROM account")
LOWEST: Final = text("SELECT min(balance_after) FROM entry JOIN account AS a ON a.id = account WHERE a.kind = 'wallet'")


@dataclass
class Verdict:
    """What the checker found."""

    gifts: int = 0
    coins: int = 0
    lost: list[str] = field(default_factory=list)
    """Gifts that were acknowledged and are gone, where a fault may rightly have taken them."""
    refunds: int = 0
    """Gifts that came after their room had closed and were given back."""
    decided_anew: int = 0
    """Gifts that a fault took and that were accepted once more, under their key, with another receipt."""
    violations: list[str] = field(default_factory=list)
    more: int = 0

    def found(self, rule: str, *operations: Gift | str) -> None:
        """Note a violation and the operations concerned."""
        if len(self.violations) >= SHOWN_MAX:
            self.more += 1
            return
        told = [one if isinstance(one, str) else one.describe() for one in operations]
        self.violations.append("\n    ".join((rule, *told)))

    @property
    def count(self) -> int:
        """Number of violations."""
        return len(self.violations) + self.more


@dataclass(slots=True)
class Posted:
    """A gift as PostgreSQL has it."""

    transfer: str
    room: str
    creator: str
    gift: str
    quantity: int
    coins: int
    diamonds: int
    order: int
    refunded: bool = False

    def is_of(self, gift: Gift) -> bool:
        """Whether it is this operation's body."""
        mine = (gift.room, gift.creator, gift.gift, gift.quantity, gift.coins)
        return (self.room, self.creator, self.gift, self.quantity, self.coins) == mine


class Checker:
    """Checks one stack's engines against one history."""

    def __init__(self, history: History, database: AsyncEngine, ledger_redis: Redis) -> None:
        self._history, self._database, self._redis = history, database, ledger_redis
        self._posted: dict[tuple[str, str], Posted] = {}
        self._credited: dict[str, list[int]] = defaultdict(list)

    async def check(self, *, proof: bool = True) -> Verdict:
        """Every rule; `proof`: also the product's own verify."""
        verdict = Verdict()
        await self._read(verdict)
        by_key: dict[tuple[str, str], list[Gift]] = defaultdict(list)
        for gift in self._history.gifts:
            by_key[gift.user, gift.key].append(gift)
        self._nothing_invented(by_key, verdict)
        for name, rivals in by_key.items():
            self._one_key(rivals, self._posted.get(name), verdict)
        self._receipts_follow(verdict)
        await self._conserved(verdict)
        if proof:
            report = await verify(self._database, self._redis)
            if not report.holds:
                verdict.found("giftserver verify is not clean", report.render())
        return verdict

    async def _read(self, verdict: Verdict) -> None:
        async with self._database.connect() as connection:
            async for row in await connection.stream(GIFTS):
                name = row.sender, row.key
                if name in self._posted:
                    verdict.found(f"key {row.key} of {row.sender} is in the ledger twice")
                self._posted[name] = Posted(
                    transfer_id(row.shard, row.epoch, row.seq), row.room, row.creator, row.gift, row.quantity,
                    row.coins, row.diamonds, row.id,
                )  # fmt: skip
                verdict.coins += row.coins
            verdict.gifts = len(self._posted)
            references = {credit.reference: credit for credit in self._history.credits}
            gifts = {posted.order: (user, posted) for (user, _), posted in self._posted.items()}
            for row in await connection.execute(CREDITS):
                if row.reverses is not None:
                    self._given_back(row, gifts.get(row.reverses), verdict)
                    continue
                credit = references.pop(row.reference, None)
                if credit is None or (credit.user, credit.coins) != (row.user_id, row.coins):
                    verdict.found(f"credit {row.reference} of {row.user_id}, {row.coins} coins: nobody made it")
                if not row.applied:
                    verdict.found(f"credit {row.reference} of {row.user_id} was not brought to the wallet")
                self._credited[row.user_id].append(row.coins)
        for credit in references.values():
            if credit.outcome == "ok":
                verdict.found(f"credit {credit.reference} of {credit.user}, {credit.coins} coins: gone")

    def _given_back(self, row: Any, gift: tuple[str, Posted] | None, verdict: Verdict) -> None:
        if gift is None or (gift[0], gift[1].coins) != (row.user_id, row.coins) or gift[1].refunded:
            verdict.found(f"{row.reference} of {row.user_id}, {row.coins} coins: not what was given, or back twice")
            return
        if not row.applied:
            verdict.found(f"{row.reference} of {row.user_id} was not brought to the wallet")
        gift[1].refunded = True
        verdict.refunds += 1
        self._credited[row.user_id].append(row.coins)

    def _nothing_invented(self, by_key: dict[tuple[str, str], list[Gift]], verdict: Verdict) -> None:
        for name, posted in self._posted.items():
            if not any(posted.is_of(gift) for gift in by_key.get(name, ())):
                verdict.found(
                    f"gift {posted.transfer}, key {name[1]} of {name[0]}: nobody sent it so", *by_key.get(name, ())
                )

    def _one_key(self, rivals: list[Gift], posted: Posted | None, verdict: Verdict) -> None:
        first_gone = self._history.lossy_after(rivals[0].told_s)
        for gift in rivals:
            mine = posted is not None and posted.is_of(gift)
            excused = self._history.lossy_after(gift.told_s)
            if gift.told_s and not mine:
                if excused:
                    verdict.lost.append(gift.describe())
                else:
                    verdict.found("acknowledged and lost", gift)
            if mine and gift.attempts and all(attempt.outcome == "fail" for attempt in gift.attempts):
                verdict.found("charged, though every answer said that nothing was", gift)
            if mine and gift.expect and not (gift.expect == "key_reused" and first_gone):
                verdict.found(f"charged, though it must be refused: {gift.expect}", gift)
            self._answers(gift, posted if mine else None, excused or first_gone, verdict)

    def _answers(self, gift: Gift, posted: Posted | None, excused: bool, verdict: Verdict) -> None:
        for attempt in gift.attempts:
            if attempt.receipt is not None:
                if attempt.receipt.balance_coins < 0 or attempt.receipt.coins != gift.coins:
                    verdict.found("a receipt with a wrong amount", gift)
            elif attempt.outcome == "" and not attempt.ended_s:
                verdict.found("an attempt without an end", gift)
            elif gift.expect and attempt.outcome == "fail" and not (excused or _lawful(attempt.code, gift.expect)):
                verdict.found(f"refused, but not as it should be: {gift.expect}", gift)
        receipts = {receipt[:3] for receipt in gift.receipts}
        balances = {attempt.receipt.balance_coins for attempt in gift.attempts if attempt.receipt and not attempt.code}
        if len(receipts) > 1 or len(balances) > 1:
            first_told_s = min(attempt.began_s for attempt in gift.attempts if attempt.receipt is not None)
            if self._history.lossy_after(first_told_s):
                verdict.decided_anew += 1
            else:
                verdict.found("receipts of one key differ", gift)
        if posted is not None and receipts and not excused:
            told = gift.receipts[-1]
            if told[:3] != (posted.transfer, posted.coins, posted.diamonds):
                verdict.found(f"the receipt is not what the ledger has: {posted}", gift)

    def _receipts_follow(self, verdict: Verdict) -> None:
        """The balance of each receipt is the one before it, minus the gift, plus the next credits in order."""
        if any(fault.lossy for fault in self._history.faults):
            return
        told: dict[str, list[tuple[int, int, Gift]]] = defaultdict(list)
        for gift in self._history.gifts:
            posted = self._posted.get((gift.user, gift.key))
            if posted is not None and posted.is_of(gift):
                balance = next((a.receipt.balance_coins for a in gift.attempts if a.receipt and not a.code), None)
                told[gift.user].append((posted.order, -1 if balance is None else balance, gift))
        for user, gifts in told.items():
            totals = {0}
            total = 0
            for coins in self._credited[user]:
                totals.add(total := total + coins)
            spent, before = 0, 0
            for _, balance, gift in sorted(gifts, key=lambda one: one[0]):
                spent += gift.coins
                if balance < 0:
                    continue  # nobody was told
                if balance + spent not in totals or balance + spent < before:
                    verdict.found(f"balance {balance} after {spent} spent is no sum of credits of {user}", gift)
                before = balance + spent

    async def _conserved(self, verdict: Verdict) -> None:
        spent: Counter[str] = Counter()
        earned: Counter[str] = Counter()
        returned: Counter[str] = Counter()
        for (user, _), posted in self._posted.items():
            spent[user] += posted.coins
            if posted.refunded:
                returned[user] += posted.coins
            else:
                earned[posted.creator] += posted.diamonds
        credited = {user: sum(coins) for user, coins in self._credited.items()}
        async with self._database.connect() as connection:
            accounts = {(row.kind, row.owner): row.balance for row in await connection.execute(BALANCES)}
            lowest = await connection.scalar(LOWEST)
        if (lowest or 0) < 0:
            verdict.found(f"a wallet was at {lowest} coins")
        right = {("wallet", user): coins - spent[user] for user, coins in credited.items()}
        right |= {("earnings", creator): diamonds for creator, diamonds in earned.items()}
        right |= {
            ("coins_sold", "platform"): sum(returned.values()) - sum(credited.values()),
            ("gifts_spent", "platform"): sum(spent.values()) - sum(returned.values()),
            ("diamonds_issued", "platform"): -sum(earned.values()),
        }
        for name in sorted(right.keys() | accounts.keys()):
            if accounts.get(name, 0) != right.get(name, 0):
                of = self._gifts_of(name[1])
                verdict.found(f"{name}: balance {accounts.get(name)}, the history says {right.get(name, 0)}", *of)
        await self._live_wallets(right, verdict)

    async def _live_wallets(self, right: dict[tuple[str, str], int], verdict: Verdict) -> None:
        redis: Any = self._redis
        for kind, user in right:
            if kind == "wallet":
                coins = await redis.hget(keys.wallet(keys.shard_of(user), user), "coins")
                if coins is not None and int(coins) != right[kind, user]:
                    said = f"{int(coins)} coins in Redis, the history says {right[kind, user]}"
                    verdict.found(f"wallet of {user}: {said}", *self._gifts_of(user))

    def _gifts_of(self, user: str, shown: int = 3) -> Iterable[Gift]:
        return [gift for gift in self._history.gifts if gift.user == user][-shown:]


def _lawful(code: str, expect: str) -> bool:
    """Whether a gift that must end with `expect` may be refused with this code on the way."""
    return code in (expect, "asked", "unavailable", "rate_limited", "unauthorized", "room_not_live")

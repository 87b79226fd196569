"""The ledger as a page of plain Python: what must be true of wallets, gifts, keys, credits and flushes.

The model knows no Redis, no PostgreSQL, no batches and no retries. Amounts are coins.
"""

from dataclasses import dataclass, field

KEY_AGE_MAX_MS = 600_000
KEY_AHEAD_MAX_MS = 60_000
COINS_MAX = 10**12


@dataclass(frozen=True)
class Body:
    """What a key stands for."""

    sender: str
    creator: str
    coins: int

    @property
    def hash(self) -> str:
        """Stands for the hash of the request."""
        return f"{self.sender}>{self.creator}:{self.coins}"


@dataclass(frozen=True)
class Told:
    """What the sender of a gift is told: `OK`, or why not; the balance after it."""

    result: str
    balance: int | None = None


@dataclass
class Wallet:
    """A user's coins: `credits` ever made, how many of them the live wallet has, and what was spent."""

    credits: list[int] = field(default_factory=list)
    applied: int = 0
    spent: int = 0
    loaded: bool = False

    @property
    def live(self) -> int:
        """Coins that can be spent now."""
        return sum(self.credits[: self.applied]) - self.spent

    def load(self) -> None:
        """A wallet that comes from the durable ledger has every credit."""
        self.loaded, self.applied = True, len(self.credits)


class LedgerModel:
    """One ledger with a number of shards; `shard_of` says where a user's gifts are."""

    def __init__(self, users: dict[str, int]) -> None:
        self.shard_of = users
        self.wallets = {user: Wallet() for user in users}
        self.keys: dict[tuple[str, str], tuple[str, Told, int]] = {}
        """By sender and key: hash, what was told, and the number of the gift in its shard."""
        self.decided: dict[int, list[Body]] = {shard: [] for shard in users.values()}
        self.flushed: dict[int, int] = dict.fromkeys(users.values(), 0)

    def credit(self, user: str, coins: int) -> None:
        """Coins are credited in the durable ledger; the live wallet gets them later."""
        self.wallets[user].credits.append(coins)

    def carry(self) -> None:
        """Every credit reaches its wallet; one that is not loaded gets them when it is."""
        for wallet in self.wallets.values():
            wallet.applied = len(wallet.credits)

    def see(self, user: str, coins: int | None) -> None:
        """Take note of what Redis holds: any wallet may be missing there or be loaded again, but never be wrong.

        A wallet that is there has the first so many credits, not fewer than before.
        """
        wallet = self.wallets[user]
        if coins is None:
            wallet.loaded = False
            return
        if not wallet.loaded:
            wallet.load()
        assert coins == wallet.live, f"{user} has {coins} coins in Redis; right are {wallet.live}: {wallet}"

    def forget(self, user: str) -> None:
        """The live wallet is gone; nothing of its coins is."""
        self.wallets[user].loaded = False

    def send(self, key: str, age_ms: int, body: Body) -> Told:
        """Decide a gift under a key that is `age_ms` old."""
        seen = self.keys.get((body.sender, key))
        if seen is not None:
            return seen[1] if seen[0] == body.hash else Told("KEY_REUSED")
        if age_ms > KEY_AGE_MAX_MS or -age_ms > KEY_AHEAD_MAX_MS:
            return Told("KEY_EXPIRED")
        wallet = self.wallets[body.sender]
        if not wallet.loaded:
            wallet.load()
        if not 1 <= body.coins <= COINS_MAX:
            return Told("BAD_AMOUNT")
        if body.sender == body.creator:
            return Told("SELF_GIFT")
        if wallet.live < body.coins:
            return Told("INSUFFICIENT", wallet.live)
        wallet.spent += body.coins
        self.decided[self.shard_of[body.sender]].append(body)
        told = Told("OK", wallet.live)
        self.keys[body.sender, key] = body.hash, told, len(self.decided[self.shard_of[body.sender]])
        return told

    def flush(self, shard: int) -> int:
        """Everything decided reaches the durable ledger; how many gifts are new there."""
        new = len(self.decided[shard]) - self.flushed[shard]
        self.flushed[shard] = len(self.decided[shard])
        return new

    def wipe(self) -> None:
        """Redis lost everything and was filled again: gifts that were not flushed never were, the others stand.

        Their receipts say the durable balance from now on, which may lack a credit then or now: it is left open.
        """
        for shard, bodies in self.decided.items():
            for body in bodies[self.flushed[shard] :]:
                self.wallets[body.sender].spent -= body.coins
            del bodies[self.flushed[shard] :]
        kept = {name: seen for name, seen in self.keys.items() if seen[2] <= self.flushed[self.shard_of[name[0]]]}
        self.keys = {name: (hash_, Told("OK"), number) for name, (hash_, _, number) in kept.items()}
        for wallet in self.wallets.values():
            wallet.loaded = False

    def durable(self, user: str) -> int:
        """Coins of the user in the durable ledger: all credits, and the gifts that were flushed."""
        shard = self.shard_of[user]
        gone = sum(body.coins for body in self.decided[shard][: self.flushed[shard]] if body.sender == user)
        return sum(self.wallets[user].credits) - gone

"""The model and the real ledger do the same things, and must say the same."""

import time
from collections import defaultdict
from itertools import count
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from giftserver.ledger import keys
from tests.torture.model import COINS_MAX, Body, LedgerModel, Told
from tests.torture.workload import new_key
from tests.torture.world import LoopThread, World


def some_users() -> list[str]:
    """Two users of one shard and one of another."""
    shards: defaultdict[int, list[str]] = defaultdict(list)
    for number in count():
        name = f"viewer{number}"
        shards[keys.shard_of(name)].append(name)
        both = next((names for names in shards.values() if len(names) == 2), None)
        if both and len(shards) > 1:
            return [*both, next(names[0] for names in shards.values() if names != both)]
    raise AssertionError


USERS = some_users()
SHARDS = sorted({keys.shard_of(user) for user in USERS})
CREATORS = ["mira", USERS[0]]
users = st.sampled_from(USERS)
shards = st.sampled_from(SHARDS)
prices = st.integers(1, 40)
wrong_prices = st.sampled_from((0, -1, -40, COINS_MAX + 1, 2**63))
good_ages = st.sampled_from((0, 0, 0, 590_000, -50_000))
bad_ages = st.sampled_from((610_000, -70_000, 86_400_000, -86_400_000))


class LedgerMachine(RuleBasedStateMachine):
    """Rules are what people, processes and accidents do; `urls` and `template` are set by whoever runs it."""

    urls: ClassVar[object]
    template: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        self.loop = LoopThread()
        self.world = World(self.urls, self.template)
        self.loop.run(self.world.open())
        self.model = LedgerModel({user: keys.shard_of(user) for user in USERS})
        self.sent: list[tuple[str, int, Body]] = []
        self.references = count()

    def teardown(self) -> None:
        """At the end everything is flushed and the product's own proof must agree."""
        try:
            self.carry()
            for shard in SHARDS:
                self.flush(shard, 1_000, 1)
            report = self.loop.run(self.world.verify())
            assert report.holds, report.render()
            self.compare()
        finally:
            self.loop.run(self.world.close())
            self.loop.close()

    def decide(self, key: str, age_ms: int, body: Body) -> None:
        """The same gift in both worlds."""
        [real] = self.loop.run(self.world.send([(key, body)]))
        right = self.model.send(key, age_ms, body)
        if right.result == "OK" and right.balance is None:
            right = Told("OK", real.balance)
        assert real == right, f"{body} under {key}, {age_ms} ms old: {real}, the model says {right}"

    @initialize(coins=st.lists(st.integers(1, 100), min_size=1, max_size=4))
    def first_coins(self, coins: list[int]) -> None:
        """Nobody begins with nothing."""
        for number, amount in enumerate(coins):
            self.credit(USERS[number % len(USERS)], amount)

    @rule(user=users, coins=st.integers(1, 100))
    def credit(self, user: str, coins: int) -> None:
        """A top-up, whose webhook comes twice."""
        self.loop.run(self.world.credit(user, coins, f"payment-{next(self.references)}"))
        self.model.credit(user, coins)

    @rule(sender=users, creator=st.sampled_from(CREATORS), coins=prices, age_ms=good_ages)
    def send(self, sender: str, creator: str, coins: int, age_ms: int) -> None:
        """A gift, affordable or not, to somebody or to oneself."""
        body = Body(sender, creator, coins)
        key = new_key(int(time.time() * 1_000) - age_ms)
        self.sent.append((key, age_ms, body))
        self.decide(key, age_ms, body)

    @rule(sender=users, coins=prices, age_ms=bad_ages)
    def send_out_of_time(self, sender: str, coins: int, age_ms: int) -> None:
        """A key that is too old or from the future."""
        self.decide(new_key(int(time.time() * 1_000) - age_ms), age_ms, Body(sender, "mira", coins))

    @rule(sender=users, coins=wrong_prices)
    def send_wrong_amount(self, sender: str, coins: int) -> None:
        """No, negative or too many coins."""
        self.decide(new_key(int(time.time() * 1_000)), 0, Body(sender, "mira", coins))

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), more=st.sampled_from((0, 0, 1)))
    def send_again(self, data: st.DataObject, more: int) -> None:
        """A key once more, with its body or with another one."""
        key, age_ms, body = data.draw(st.sampled_from(self.sent))
        self.decide(key, age_ms, Body(body.sender, body.creator, body.coins + more))

    @rule(sender=users, coins=prices, number=st.integers(2, 12))
    def send_many_at_once(self, sender: str, coins: int, number: int) -> None:
        """Many gifts in one instant, each sent twice: what is affordable is taken, each gift once."""
        body = Body(sender, "mira", coins)
        names = [new_key(int(time.time() * 1_000)) for _ in range(number)]
        real = self.loop.run(self.world.send([(key, body) for key in names for _ in range(2)]))
        assert real[::2] == real[1::2], f"the two answers of a key differ: {real}"
        decided = dict(zip(names, real[::2], strict=True))
        # Who waited for the wallet may be decided later than who came after.
        order = sorted(names, key=lambda key: -(decided[key].balance or 0) if decided[key].result == "OK" else 1)
        for key in order:
            right = self.model.send(key, 0, body)
            self.sent.append((key, 0, body))
            assert decided[key] == right, f"{body} under {key}: {decided[key]}, the model says {right}"

    @rule(shard=shards, limit=st.sampled_from((1, 2, 1_000)), flushers=st.sampled_from((1, 1, 2, 3)))
    def flush(self, shard: int, limit: int, flushers: int) -> None:
        """One flush, or several at once, of which one may win each batch."""
        before = self.model.flushed[shard]
        posted = self.loop.run(self.world.flush(shard, limit, flushers))
        new = self.model.flush(shard)
        if limit == 1_000:
            assert posted == new, f"{posted} gifts of shard {shard} were posted, {new} were waiting"
        assert min(new, 1) <= posted <= min(new, limit * flushers)
        self.model.flushed[shard] = before + posted

    @rule(shard=shards)
    def trim(self, shard: int) -> None:
        """Old events are dropped from the stream."""
        self.loop.run(self.world.trim(shard))

    @rule()
    def carry(self) -> None:
        """The worker brings credits to wallets."""
        self.loop.run(self.world.carry())
        self.model.carry()

    @rule(user=users)
    def forget_wallet(self, user: str) -> None:
        """A wallet vanishes from Redis."""
        self.loop.run(self.world.redis.delete(keys.wallet(keys.shard_of(user), user)))
        self.model.forget(user)

    @rule(shard=shards)
    def lose_mark(self, shard: int) -> None:
        """The mark of what is flushed goes back to the beginning."""
        self.loop.run(self.world.lose_mark(shard))

    @rule()
    def forget_scripts(self) -> None:
        """Redis forgets its scripts."""
        self.loop.run(self.world.redis.script_flush())

    @rule()
    def restart(self) -> None:
        """A new process of the ledger."""
        self.loop.run(self.world.restart())

    @rule(sender=users)
    def redis_restarts(self, sender: str) -> None:
        """Until the coordinator has looked, nothing is decided and nothing charged."""
        self.loop.run(self.world.other_run())
        order = new_key(int(time.time() * 1_000)), Body(sender, "mira", 1)
        assert self.loop.run(self.world.send([order])) == [Told("TRY_AGAIN")]
        self.compare()
        self.loop.run(self.world.coordinate())

    @rule()
    def redis_is_wiped(self) -> None:
        """Everything in Redis is gone; the coordinator fills it from PostgreSQL."""
        self.loop.run(self.world.redis.flushall())
        self.loop.run(self.world.coordinate())
        self.model.wipe()

    @invariant()
    def compare(self) -> None:
        """Balances and marks agree, and nobody is below zero."""
        live = self.loop.run(self.world.live(USERS))
        durable = self.loop.run(self.world.durable(USERS))
        for user, wallet in self.model.wallets.items():
            self.model.see(user, live[user])
            assert wallet.live >= 0
            assert durable[user] == self.model.durable(user), f"{user} has {durable[user]} in PostgreSQL"
        for shard in SHARDS:
            seq, flushed, cursor = self.loop.run(self.world.marks(shard))
            assert seq == len(self.model.decided[shard])
            assert flushed <= cursor == self.model.flushed[shard]

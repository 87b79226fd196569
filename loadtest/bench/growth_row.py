"""Row d: what a gift costs as wallets and shards grow; it must not."""

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from giftserver.ledger import keys
from giftserver.ledger.limits import unlimited_fields
from giftserver.ledger.outcomes import GiftOrder
from loadtest.bench.engines import Bench
from loadtest.bench.figures import Figure, Measured, Row, growth_percent
from loadtest.bench.orders import RICH_COINS, creators, names, orders, people
from loadtest.bench.raw_client import RawClient, packed
from loadtest.bench.rounds import Case, measure
from loadtest.bench.script_calls import load_script

BATCH: Final = 16
CONNECTIONS: Final = 8
SENDERS: Final = 1024
CHUNK: Final = 1000


async def growth_row(bench: Bench) -> Row:
    """Measure the cost of a gift at every number of wallets and of shards."""
    wallets = await by_wallets(bench)
    cases = [Case(f"{count} shards", partial(with_shards, bench, count)) for count in bench.size.shards]
    shards = await measure(cases, bench.size.rounds, bench.say)
    found = [*figures("wallets", bench.size.wallets, wallets), *figures("shards", bench.size.shards, shards)]
    notes = [
        f"The script by prepared bytes, {BATCH} gifts a call, {CONNECTIONS} calls on their way, senders picked at "
        "random; every second round goes from the largest ledger to the smallest.",
        "Growth: slope of the straight line through all sizes, in percent of the mean cost for each tenfold size.",
    ]
    return Row("d", "Cost of a gift as the ledger grows", [*wallets, *shards], found, notes)


def figures(of: str, sizes: Sequence[int], measured: Sequence[Measured]) -> list[Figure]:
    """Growth of the engine's and of the elapsed time for a gift."""
    found = []
    for metric, name in (("server_cpu_us", "server CPU"), ("elapsed_us", "elapsed")):
        by_round = zip(*(case.values[metric] for case in measured), strict=True)
        slopes = [growth_percent(sizes, costs) for costs in by_round]
        found.append(Figure(f"growth of {name} a gift, {of} × 10", slopes, "%", "flat"))
    return found


@dataclass(slots=True)
class Population:
    """Wallets in the Redis, all of the form that `names` gives: made and removed from the end."""

    bench: Bench
    users: list[str]
    there: int = 0

    def resize(self, count: int) -> None:
        """Bring the number of wallets to `count`."""
        grow = count > self.there
        changed = self.users[self.there : count] if grow else self.users[count : self.there]
        commands = map(put_wallet if grow else drop_wallet, changed)
        with RawClient(self.bench.redis_url, 1) as client:
            while chunk := list(itertools.islice(commands, CHUNK)):
                client.run([b"".join(chunk)], len(chunk))
        self.there = count


def put_wallet(user: str) -> bytes:
    """The packed command that writes a rich wallet."""
    fields = {"coins": RICH_COINS, "state": "active", "credit_no": 1, "last_seq": 0, **unlimited_fields()}
    flat = [part if isinstance(part, bytes) else str(part) for pair in fields.items() for part in pair]
    return packed("HSET", keys.wallet(keys.shard_of(user), user), *flat)


def drop_wallet(user: str) -> bytes:
    """The packed command that removes a wallet."""
    return packed("DEL", keys.wallet(keys.shard_of(user), user))


async def by_wallets(bench: Bench) -> list[Measured]:
    """The cost at each number of wallets, growing in one round and shrinking in the next."""
    sizes = bench.size.wallets
    measured = [Measured(f"{size:,} wallets") for size in sizes]
    users = list(itertools.islice(names("viewer"), max(sizes)))
    population = Population(bench, users)
    await bench.clear()
    for number in range(bench.size.rounds):
        bench.say(f"  round {number + 1} of {bench.size.rounds}, up to {max(sizes):,} wallets")
        for place in range(len(sizes))[:: -1 if number % 2 else 1]:
            population.resize(sizes[place])
            senders = random.sample(users[: sizes[place]], min(senders_of(bench), sizes[place]))
            measured[place].add(await cost(bench, senders))
    return measured


async def with_shards(bench: Bench, count: int) -> dict[str, float]:
    """The cost with the same senders' number spread over `count` shards."""
    await bench.clear()
    senders = people(senders_of(bench), range(count))
    await bench.install(senders)
    return await cost(bench, senders)


def senders_of(bench: Bench) -> int:
    """How many send: each of them a few gifts."""
    return min(SENDERS, bench.size.gifts // 4)


async def cost(bench: Bench, senders: Sequence[str]) -> dict[str, float]:
    """Send gifts of these senders and drop the gifts again: µs for each."""
    script = await load_script(bench.redis)
    given = orders(senders, creators(100), bench.size.gifts)
    calls = script.packed_calls(given, BATCH)
    gifts = sum(map(len, given))
    before, cpu_before_s = await bench.accepted(), await bench.server_cpu_s()
    with RawClient(bench.redis_url, CONNECTIONS) as client:
        sent = client.run(calls)
    cpu_s = await bench.server_cpu_s() - cpu_before_s
    assert await bench.accepted() - before == gifts, "not all gifts were accepted"
    forget(bench, given_keys(given))
    return {"elapsed_us": sent.seconds / gifts * 1e6, "server_cpu_us": cpu_s / gifts * 1e6}


def given_keys(given: Sequence[Sequence[GiftOrder]]) -> Iterator[str]:
    """Everything that gifts leave behind besides balances: streams and receipts."""
    yield from map(keys.events, range(keys.SHARDS))
    for orders_of_one in given:
        for order in orders_of_one:
            yield keys.receipt(keys.shard_of(order.sender), order.sender, order.key)


def forget(bench: Bench, left: Iterator[str]) -> None:
    """Remove keys."""
    with RawClient(bench.redis_url, 1) as client:
        while chunk := list(itertools.islice(left, CHUNK)):
            client.run([packed("DEL", *chunk)])

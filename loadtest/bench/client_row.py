"""Row a: the gift script through our client, against programs that send the same script and do nothing else."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Final

from giftserver.ledger.ledger import BATCH_MAX
from loadtest.bench.engines import Bench
from loadtest.bench.figures import Figure, Measured, Row, ratios
from loadtest.bench.limit import Load, by_program, by_raw_client, find_program
from loadtest.bench.orders import creators, orders, people
from loadtest.bench.rounds import Case, measure
from loadtest.bench.sending import send_all

SENDERS: Final = ((1, 1), (1, 64), (16, 1), (16, 4), (16, 16), (16, 64))
"""Shards, and people who send at the same time in each: their number is the size of a call, up to its limit."""

CONNECTIONS: Final = 50
"""Of the program that sends one gift a call."""

MANY: Final = 256
"""With so many gifts on their way, a gift's CPU has a target."""


async def client_row(bench: Bench, program: Path | None) -> Row:
    """Measure all sides of every load. `program` is the benchmark program to use, looked for when None."""
    found = find_program(program)
    cases = [Case(f"one gift a call, {CONNECTIONS} connections", partial(one_by_one, bench, found))]
    for shards, each in SENDERS:
        name = f"{'one shard' if shards == 1 else 'all shards'}, {each} {'sender' if each == 1 else 'senders'} each"
        gifts = bench.size.single_gifts if each == 1 else bench.size.gifts
        cases.append(Case(f"{name}: ours", partial(ours, bench, shards, each, gifts)))
        cases.append(Case(f"{name}: prepared", partial(prepared, bench, load_of(shards, each), gifts)))
    measured = await measure(cases, bench.size.rounds, bench.say)
    return Row("a", "Our client against the limit of the script", measured, figures(measured), notes(found))


def figures(measured: Sequence[Measured]) -> list[Figure]:
    """Ours over one gift a call and over the same calls prepared, and what a gift costs us."""
    single, *pairs = measured
    found = []
    for (shards, each), mine, same in zip(SENDERS, pairs[::2], pairs[1::2], strict=True):
        load = mine.name.removesuffix(": ours")
        if shards * each >= CONNECTIONS:
            over = ratios(mine, single)
            found.append(Figure(f"ours / one gift a call, {CONNECTIONS} connections: {load}", over, target=">= 1.0"))
        found.append(Figure(f"ours / the same calls prepared: {load}", ratios(mine, same)))
        if shards * each >= MANY:
            found.append(Figure(f"our CPU a gift: {load}", mine.values["client_cpu_us"], "µs", "<= 12"))
    return found


def load_of(shards: int, each: int) -> Load:
    """The calls that so many senders make: every shard has one on its way."""
    return Load(min(each, BATCH_MAX), shards, shards)


async def ours(bench: Bench, shards: int, each: int, gifts: int) -> dict[str, float]:
    """Our client with `each` senders in each of `shards` shards."""
    await bench.clear()
    senders = people(shards * each, range(shards))
    await bench.install(senders)
    return (await send_all(bench, orders(senders, creators(64), gifts))).values()


async def prepared(bench: Bench, load: Load, gifts: int) -> dict[str, float]:
    """Calls of the same size and number, packed before the clock runs, on blocking sockets."""
    await bench.clear()
    return await by_raw_client(bench, load, gifts)


async def one_by_one(bench: Bench, program: Path | None) -> dict[str, float]:
    """One gift a call on many connections, by the engine's own program, or prepared when there is none."""
    await bench.clear()
    if program is None:
        return await by_raw_client(bench, Load(1, CONNECTIONS, 1), bench.size.gifts)
    return await by_program(bench, program, CONNECTIONS, bench.size.gifts)


def notes(program: Path | None) -> list[str]:
    """What a reader must know of the sides."""
    if program is None:
        single_is = (
            "One gift a call comes from a Python client that sends prepared bytes on blocking sockets: no "
            "valkey-benchmark or redis-benchmark was found (Debian has it in redis-tools)."
        )
    else:
        single_is = f"One gift a call is {program.name}: one prepared command again and again, to one shard."
    return [
        single_is,
        "Prepared: the same number of gifts in a call and of calls on their way, as bytes made before the clock runs.",
        "Our latency is that of a gift, from post() to its outcome, waiting for the call before it included; the "
        "others' is that of a call. Our CPU includes the senders' callbacks.",
    ]

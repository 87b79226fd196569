"""Row a: the gift script through our client, against the same calls from a program that does nothing else."""

from functools import partial
from pathlib import Path
from typing import Final

from giftserver.ledger import keys
from giftserver.ledger.ledger import BATCH_MAX
from loadtest.bench.engines import Bench
from loadtest.bench.figures import Figure, Row, ratios
from loadtest.bench.limit import Load, by_program, by_raw_client, find_program
from loadtest.bench.orders import creators, orders, people
from loadtest.bench.rounds import Case, measure
from loadtest.bench.sending import send_all

SENDERS: Final = ((1, 1), (1, 16), (1, 64), (1, 256), (16, 1), (16, 16), (16, 64))
"""Shards, and people who send at the same time in each: their number is the size of a call, up to its limit."""


async def client_row(bench: Bench, program: Path | None) -> Row:
    """Measure both sides of every load. `program` is the benchmark program to use, looked for when None."""
    found = find_program(program)
    cases = []
    for shards, each in SENDERS:
        name = f"{'one shard' if shards == 1 else 'all shards'}, {each} {'sender' if each == 1 else 'senders'} each"
        batch = min(each, BATCH_MAX)
        load = Load(batch, shards * (each // batch), shards)
        gifts = bench.size.single_gifts if each == 1 else bench.size.gifts
        cases.append(Case(f"{name}: ours", partial(ours, bench, shards, each, gifts)))
        cases.append(Case(f"{name}: limit", partial(limit, bench, found, load, gifts)))
    measured = await measure(cases, bench.size.rounds, bench.say)
    figures = [
        Figure(f"ours / limit: {mine.name.removesuffix(': ours')}", ratios(mine, theirs))
        for mine, theirs in zip(measured[::2], measured[1::2], strict=True)
    ]
    return Row("a", "Our client against the limit of the script", measured, figures, notes(found))


async def ours(bench: Bench, shards: int, each: int, gifts: int) -> dict[str, float]:
    """Our client with `each` senders in each of `shards` shards."""
    await bench.clear()
    senders = people(shards * each, range(shards))
    await bench.install(senders)
    return (await send_all(bench, orders(senders, creators(64), gifts))).values()


async def limit(bench: Bench, program: Path | None, load: Load, gifts: int) -> dict[str, float]:
    """The same load by the program, or by the raw client when there is none."""
    await bench.clear()
    if program is None:
        return await by_raw_client(bench, load, gifts)
    return await by_program(bench, program, load, gifts)


def notes(program: Path | None) -> list[str]:
    """What a reader must know of both sides."""
    if program is None:
        limit_is = (
            "The limit is a Python client that sends prepared bytes on blocking sockets: no valkey-benchmark or "
            "redis-benchmark was found (Debian has it in redis-tools)."
        )
    else:
        limit_is = f"The limit is {program.name}: one prepared command again and again, all of it to one shard."
    return [
        limit_is,
        f"The limit has one call on its way for each shard with senders, {keys.SHARDS} at most; with 256 senders on "
        "one shard it has four.",
        "Our latency is that of a gift, from send() to its outcome, waiting for the call before it included; the "
        "limit's is that of a call. Our CPU includes the senders' own coroutines.",
    ]

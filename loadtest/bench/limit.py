"""The limit of a client: the same script calls from a program that does nothing else."""

import asyncio
import csv
import resource
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from msgspec.structs import replace

from giftserver.ledger import keys
from loadtest.bench.engines import Bench
from loadtest.bench.figures import percentile
from loadtest.bench.orders import order, orders, people
from loadtest.bench.raw_client import RawClient
from loadtest.bench.script_calls import load_script

PROGRAMS: Final = ("valkey-benchmark", "redis-benchmark")
KEY_HEAD: Final = "01900000-0000-7000-8000-"
RANDOM_MAX: Final = 2_000_000_000
"""Receipt keys are drawn from so many: among 32,000 gifts a repeat is rare, and it is counted."""


@dataclass(frozen=True, slots=True)
class Load:
    """How the script is called: gifts in a call, calls on their way, shards the gifts are spread over."""

    batch: int
    calls_at_once: int
    shards: int


def find_program(named: Path | None = None) -> Path | None:
    """The engine's own benchmark program: the one named, or one on the PATH."""
    if named is not None:
        return named
    found = next(filter(None, map(shutil.which, PROGRAMS)), None)
    return Path(found) if found else None


async def by_program(bench: Bench, program: Path, connections: int, gifts: int) -> dict[str, float]:
    """One gift a call by `redis-benchmark`. Raises AssertionError when it did not accept what was sent.

    The program repeats one command, so all gifts are one sender's and its payload is filler of the usual length; only
    the idempotency keys differ. To the server the shard makes no difference.
    """
    script = await load_script(bench.redis)
    [user] = people(1, [0], "limit")
    await bench.install([user])
    at_ms = int(time.time() * 1000)
    # The program takes no zero byte, so the key's time stands there as text, which the script reads as well.
    given = replace(order(user, "creator-000001", at_ms), key_ms=str(at_ms))
    command = script.call(0, [given], [KEY_HEAD + "__rand_int__"])
    words = [word if isinstance(word, str) else b"x" * len(word) for word in command[:-1]]
    options = [*place_of(bench.redis_url), "-c", str(connections), "-n", str(gifts), "-r", str(RANDOM_MAX)]
    before, server_before_s = await bench.accepted(), await bench.server_cpu_s()
    cpu_before_s = children_cpu_s()
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        str(program), *options, "--csv", *words, command[-1], stdout=pipe, stderr=pipe
    )
    output, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    cpu_s, server_s = children_cpu_s() - cpu_before_s, await bench.server_cpu_s() - server_before_s
    accepted = await bench.accepted() - before
    assert accepted > 0.99 * gifts, f"{accepted} of {gifts} gifts accepted"
    row = list(csv.DictReader(output.decode(errors="replace").strip().split("\n")))[-1]  # it names the command
    return {
        "gifts_per_s": float(row["rps"]),
        "client_cpu_us": cpu_s / accepted * 1e6,
        "server_cpu_us": server_s / accepted * 1e6,
        "p50_ms": float(row["p50_latency_ms"]),
        "p99_ms": float(row["p99_latency_ms"]),
        "gifts_per_call": 1.0,
    }


def place_of(url: str) -> list[str]:
    """The program's options for an engine; its own reading of URLs takes no empty user name."""
    parts = urlsplit(url)
    place = ["-h", parts.hostname or "127.0.0.1", "-p", str(parts.port or 6379)]
    user = ["--user", unquote(parts.username)] if parts.username else []
    return [*place, *user, "-a", unquote(parts.password)] if parts.password else place


async def by_raw_client(bench: Bench, load: Load, gifts: int) -> dict[str, float]:
    """The script by prepared bytes on blocking sockets."""
    script = await load_script(bench.redis)
    users = people(load.batch * load.shards, range(load.shards), "limit")
    await bench.install(users)
    given = orders(users, ["creator-000001"], gifts)
    calls = script.packed_calls(given, load.batch)
    before, server_before_s = await bench.accepted(), await bench.server_cpu_s()
    with RawClient(bench.redis_url, load.calls_at_once) as client:
        cpu_before_s = time.process_time()
        sent = client.run(calls)
        cpu_s = time.process_time() - cpu_before_s
    server_s = await bench.server_cpu_s() - server_before_s
    accepted = await bench.accepted() - before
    assert accepted == sum(map(len, given)), f"{accepted} of {sum(map(len, given))} gifts accepted"
    return {
        "gifts_per_s": accepted / sent.seconds,
        "client_cpu_us": cpu_s / accepted * 1e6,
        "server_cpu_us": server_s / accepted * 1e6,
        "p50_ms": percentile(sent.call_s, 50) * 1000,
        "p99_ms": percentile(sent.call_s, 99) * 1000,
        "gifts_per_call": accepted / len(calls),
    }


def children_cpu_s() -> float:
    """CPU seconds of the processes this one started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def all_shards() -> range:
    """Every shard of a ledger."""
    return range(keys.SHARDS)

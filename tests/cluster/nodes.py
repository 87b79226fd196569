"""A small cluster of real Valkey processes: three primaries, a replica each."""

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from giftserver.embedded.binaries import ENVIRONMENT, valkey_server

HOST = "127.0.0.1"
SLOTS = 16_384
START_S = 20.0
NODE_TIMEOUT_MS = 800


@dataclass
class Node:
    """One process of the cluster."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]
    ask: Any
    id: str = ""

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)


class Nodes:
    """The processes, and what an operator does to them."""

    def __init__(self, folder: Path, primaries: int, replicas: bool) -> None:
        self._folder = folder
        self.nodes = [self._start(port) for port in free_ports(primaries * (2 if replicas else 1))]
        self.primaries, self.replicas = self.nodes[:primaries], self.nodes[primaries:]

    def url(self, scheme: str = "redis+cluster") -> str:
        """The cluster's URL, naming three of its servers."""
        return f"{scheme}://" + ",".join(f"{HOST}:{node.port}" for node in self.nodes[:3])

    def _start(self, port: int) -> Node:
        folder = self._folder / str(port)
        folder.mkdir(parents=True)
        options = {
            "port": port, "bind": HOST, "dir": folder, "cluster-enabled": "yes", "appendonly": "yes",
            "appendfsync": "always", "save": "", "maxmemory": "64mb", "maxmemory-policy": "noeviction",
            "cluster-node-timeout": NODE_TIMEOUT_MS, "cluster-require-full-coverage": "no",
            "cluster-replica-validity-factor": 0, "repl-diskless-sync-delay": 0, "daemonize": "no",
            "cluster-allow-replica-migration": "no", "logfile": folder / "log",
        }  # fmt: skip
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        process = subprocess.Popen([str(valkey_server()), *arguments], cwd=folder, env=ENVIRONMENT)
        client = redis.Redis(host=HOST, port=port, decode_responses=True, socket_timeout=5, retry=Retry(NoBackoff(), 0))
        return Node(port, folder, process, client)

    def form(self) -> None:
        """Make one cluster of them, the slots in equal runs; returns when every node says that all is well."""
        for node in self.nodes:
            wait_for(lambda node=node: answers(node), "a node starts")
            node.id = node.ask.execute_command("CLUSTER MYID")
            node.ask.execute_command("CLUSTER SET-CONFIG-EPOCH", self.nodes.index(node) + 1)
        share = -(-SLOTS // len(self.primaries))
        for n, node in enumerate(self.primaries):
            node.ask.execute_command("CLUSTER ADDSLOTSRANGE", n * share, min(SLOTS, (n + 1) * share) - 1)
        for node in self.nodes[1:]:
            node.ask.execute_command("CLUSTER MEET", HOST, self.nodes[0].port)
        everybody = {node.id for node in self.nodes}
        for node in self.nodes:
            wait_for(lambda node=node: everybody <= set(known(node)), "the nodes know each other")
        for primary, replica in zip(self.primaries, self.replicas, strict=False):
            replica.ask.execute_command("CLUSTER REPLICATE", primary.id)
        for node in self.nodes:
            wait_for(lambda node=node: "cluster_state:ok" in raw(node, "CLUSTER INFO"), "the cluster is well")
        for replica in self.replicas:
            wait_for(
                lambda node=replica: node.ask.info("replication")["master_link_status"] == "up", "a replica follows"
            )

    def owner(self, slot: int) -> Node:
        """The primary that holds a slot, as the first living node sees it."""
        asked = next(node for node in self.nodes if node.process.poll() is None)
        for first, last, (_, port, *_rest), *_replicas in slots(asked):
            if first <= slot <= last:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(slot)

    def begin_move(self, slot: int, source: Node, target: Node) -> None:
        """Begin to move a slot, as an operator does key by key."""
        target.ask.execute_command("CLUSTER SETSLOT", slot, "IMPORTING", source.id)
        source.ask.execute_command("CLUSTER SETSLOT", slot, "MIGRATING", target.id)

    def move_keys(self, source: Node, target: Node, *names: str | bytes) -> None:
        """Move some keys of a slot that is being moved."""
        source.ask.execute_command("MIGRATE", HOST, target.port, "", 0, 5_000, "KEYS", *names)

    def end_move(self, slot: int, source: Node, target: Node) -> None:
        """The slot is the target's from now on."""
        for node in (target, source, *(node for node in self.primaries if node not in (source, target))):
            node.ask.execute_command("CLUSTER SETSLOT", slot, "NODE", target.id)

    def move_slot(self, slot: int, target: Node, halfway: Callable[[], None] = lambda: None) -> None:
        """Move a slot key by key, as `valkey-cli --cluster reshard` does; `halfway` is called once some keys moved."""
        source = self.owner(slot)
        self.begin_move(slot, source, target)
        self.move_keys(source, target, *source.ask.execute_command("CLUSTER GETKEYSINSLOT", slot, 3))
        halfway()
        while names := source.ask.execute_command("CLUSTER GETKEYSINSLOT", slot, 20):
            self.move_keys(source, target, *names)
        self.end_move(slot, source, target)

    def answered(self, error: str) -> int:
        """How often the living nodes have answered with this error since they started."""
        living = [node for node in self.nodes if node.process.poll() is None]
        stats = [node.ask.info("errorstats").get(f"errorstat_{error}", {}) for node in living]
        return sum(int(stat.get("count", 0)) for stat in stats)

    def replica_of(self, primary: Node) -> Node:
        """Its replica."""
        return self.replicas[self.primaries.index(primary)]

    def clean(self) -> None:
        """Empty every primary."""
        for node in self.nodes:
            if node.process.poll() is None and node.ask.info("replication")["role"] == "master":
                node.ask.flushall()

    def stop(self) -> None:
        """End every process that was started here, by its id."""
        for node in self.nodes:
            node.ask.close()
            if node.process.poll() is None:
                os.kill(node.process.pid, signal.SIGKILL)
            node.process.wait(10)
        shutil.rmtree(self._folder, ignore_errors=True)


@contextlib.contextmanager
def running_cluster(folder: Path, primaries: int = 3, replicas: bool = True) -> Iterator[Nodes]:
    """A formed cluster that ends with the block."""
    nodes = Nodes(folder, primaries, replicas)
    try:
        nodes.form()
        yield nodes
    finally:
        nodes.stop()


def slots(node: Node) -> list[Any]:
    """CLUSTER SLOTS as it is."""
    with contextlib.closing(redis.Redis(host=HOST, port=node.port, decode_responses=True)) as client:
        client.response_callbacks.pop("CLUSTER SLOTS", None)
        return list(client.execute_command("CLUSTER SLOTS"))


def raw(node: Node, command: str) -> str:
    """A text answer as it is."""
    with contextlib.closing(redis.Redis(host=HOST, port=node.port, decode_responses=True)) as client:
        client.response_callbacks.pop(command, None)
        return str(client.execute_command(command))


def known(node: Node) -> list[str]:
    """Ids of the nodes that a node knows."""
    return [line.split()[0] for line in raw(node, "CLUSTER NODES").splitlines() if "handshake" not in line]


def follows(node: Node) -> bool:
    """Whether a replica has its primary's data."""
    return bool(node.ask.info("replication").get("master_link_status") == "up")


def answers(node: Node) -> bool:
    """Whether a node answers."""
    try:
        return bool(node.ask.ping())
    except redis.RedisError:
        return False


def free_ports(count: int) -> list[int]:
    """Ports that are free, and so are their cluster bus ports, 10,000 above."""
    found: list[int] = []
    # Processes that start together look far from each other: nothing holds a port between looking and listening.
    for port in range(20_000 + os.getpid() * 37 % 20_000, 50_000):
        if len(found) < count and free(port) and free(port + 10_000):
            found.append(port)
    return found


def free(port: int) -> bool:
    """Whether a port can be listened on."""
    with socket.socket() as probe:
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def wait_for(condition: Any, what: str, deadline_s: float = START_S) -> None:
    """Return when the condition holds."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"not in {deadline_s:.0f} s: {what}"
        time.sleep(0.02)


async def until(condition: Callable[[], Awaitable[bool]], what: str, deadline_s: float = START_S) -> None:
    """Return when the condition holds; other tasks go on meanwhile."""
    end_s = time.monotonic() + deadline_s
    while True:
        if await condition():
            return
        assert time.monotonic() < end_s, f"not in {deadline_s:.0f} s: {what}"
        await asyncio.sleep(0.01)


def role(node: Node) -> str:
    """`master` or `slave`."""
    return str(node.ask.info("replication")["role"])

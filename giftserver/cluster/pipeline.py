"""Several commands in one packet per server, or a transaction in one slot."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.exceptions import AskError, ClusterCrossSlotError, RedisError, TryAgainError

from giftserver.cluster.address import Server
from giftserver.cluster.slots import slot_of

if TYPE_CHECKING:
    from giftserver.cluster.client import ClusterRedis

Stack = Sequence[tuple[tuple[Any, ...], Mapping[str, Any]]]


class ClusterPipeline(Pipeline):
    """Collects commands like redis-py's pipeline; `execute` finds the servers."""

    def __init__(self, cluster: "ClusterRedis", transaction: bool) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, transaction, None)
        self._cluster = cluster

    async def execute(self, raise_on_error: bool = True) -> list[Any]:
        """Replies in order. A transaction is done whole or not at all.

        Without a transaction and without `raise_on_error`, a command that failed has its error in its place, also
        when its server is away.
        """
        stack, self.command_stack = list(self.command_stack), []
        if not stack:
            return []
        if self.is_transaction:
            return await self._transaction(stack, raise_on_error)
        replies = await self._split(stack)
        if raise_on_error:
            for reply in replies:
                if isinstance(reply, Exception):
                    raise reply
        return replies

    async def _transaction(self, stack: Stack, raise_on_error: bool) -> list[Any]:
        slots = {slot_of(args) for args, _ in stack}
        if len(slots) != 1:
            raise ClusterCrossSlotError("the keys of a transaction must be of one slot")

        async def call(server: Redis, asking: bool) -> list[Any]:
            if asking:  # its slot is being moved: half of the keys may be there
                raise TryAgainError("the slot of the transaction is being moved")
            return await _run(server, stack, True, raise_on_error)

        replies: list[Any] = await self._cluster.follow(slots.pop(), call)
        return replies

    async def _split(self, stack: Stack) -> list[Any]:
        topology = self._cluster.topology
        replies: list[Any] = [None] * len(stack)
        by_server: dict[Server, list[int]] = {}
        for n, (args, _) in enumerate(stack):
            by_server.setdefault(await topology.owner(slot_of(args)), []).append(n)

        async def ask(server: Server, numbers: list[int]) -> None:
            try:
                found = await _run(topology.client(server), [stack[n] for n in numbers], False, False)
            except (RedisError, OSError) as problem:
                topology.doubt(server)
                found = [problem] * len(numbers)
            for n, reply in zip(numbers, found, strict=True):
                replies[n] = reply

        await asyncio.gather(*(ask(server, numbers) for server, numbers in by_server.items()))
        for n, reply in enumerate(replies):
            if isinstance(reply, AskError | TryAgainError):  # MovedError is an AskError
                args, options = stack[n]
                try:
                    replies[n] = await self._cluster.execute_command(*args, **options)
                except (RedisError, OSError) as problem:
                    replies[n] = problem
        return replies


async def _run(server: Redis, stack: Stack, transaction: bool, raise_on_error: bool) -> list[Any]:
    async with server.pipeline(transaction=transaction) as pipe:
        for args, options in stack:
            pipe.execute_command(*args, **options)
        replies: list[Any] = await pipe.execute(raise_on_error=raise_on_error)
    return replies

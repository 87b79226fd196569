"""Looking up in the durable ledger what keys bought that this Redis cannot know.

After a shard was filled again its receipts are gone, and a key from before may have been charged. All that ask at the
same time in a shard are looked up together.
"""

import asyncio
from collections.abc import Sequence
from typing import Final

from giftserver.ledger.sources import PastReceipt, WalletSource

LOOK_UP_MAX: Final = 500
"""Keys in one question."""

_Key = tuple[str, str]


class Lookups:
    """One process's questions about keys: sender and key."""

    def __init__(self, source: WalletSource) -> None:
        self._source = source
        self._wanted: dict[_Key, asyncio.Future[PastReceipt | None]] = {}
        self._task: asyncio.Task[None] | None = None

    async def find(self, sender: str, key: str) -> PastReceipt | None:
        """The receipt of the sender's gift of this key, None when PostgreSQL has none. Raises the source's errors."""
        wanted = self._wanted.get((sender, key))
        if wanted is None:
            wanted = self._wanted[sender, key] = asyncio.get_running_loop().create_future()
            if self._task is None:
                self._task = asyncio.create_task(self._find(), name="look up keys")
        return await asyncio.shield(wanted)

    async def _find(self) -> None:
        await asyncio.sleep(0)  # let the rest of this loop turn join
        try:
            while self._wanted:
                some = list(self._wanted)[:LOOK_UP_MAX]
                asking = {name: self._wanted.pop(name) for name in some}
                try:
                    found = {(past.sender, past.key): past for past in await self._ask(some)}
                except Exception as problem:  # the durable ledger's driver has errors of its own; each call gets it
                    for future in asking.values():
                        future.set_exception(problem)
                        future.exception()  # a caller that was cancelled leaves nobody to read it
                else:
                    for name, future in asking.items():
                        future.set_result(found.get(name))
        finally:
            self._task = None

    async def _ask(self, some: Sequence[_Key]) -> Sequence[PastReceipt]:
        return await self._source.receipts([sender for sender, _ in some], [key for _, key in some])

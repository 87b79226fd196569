"""Wallets of the durable ledger, as the live ledger loads them."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.credits import OutboxCredit, credits_after
from giftserver.durable.epochs import kept_until
from giftserver.durable.restore import PastReceipt, past_receipts
from giftserver.durable.store import WalletSnapshot, wallet_snapshot


class DurableWallets:
    """Source of wallets for `giftserver.ledger.ledger.Ledger`."""

    def __init__(self, database: AsyncEngine) -> None:
        self._database = database

    async def snapshot(self, users: Sequence[str], shard: int, at_s: float) -> WalletSnapshot:
        """The users' wallets now; raises the driver's errors when PostgreSQL is away."""
        return await wallet_snapshot(self._database, users, shard, at_s)

    async def kept_until(self, shard: int, epoch: int) -> int | None:
        """Number up to which the shard's gifts survived every opening after this epoch; None when there was none."""
        return await kept_until(self._database, shard, epoch)

    async def receipts(self, senders: Sequence[str], keys: Sequence[str]) -> Sequence[PastReceipt]:
        """Receipts of these keys, each of the sender at its place; raises the driver's errors."""
        return await past_receipts(self._database, senders, keys)

    async def credits_after(self, user: str, credit_no: int) -> Sequence[OutboxCredit]:
        """Credits numbered after `credit_no`, in order."""
        return await credits_after(self._database, user, credit_no)

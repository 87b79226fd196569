"""What the live ledger asks of the durable one."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Protocol

from giftserver.ledger.limits import Spending


class WalletState(Protocol):
    """A user's wallet in the durable ledger."""

    @property
    def coins(self) -> int:
        """Balance with every gift up to the shard's cursor."""
        ...

    @property
    def credit_no(self) -> int:
        """Newest credit in `coins`."""
        ...

    @property
    def held(self) -> bool:
        """Whether it is on hold."""
        ...

    @property
    def state_no(self) -> int:
        """Number under which that was said; 0 when it never was on hold."""
        ...

    @property
    def spending(self) -> Spending | None:
        """Limits, and what was spent up to the cursor in windows around the moment asked for; None: not read."""
        ...


class WalletSnapshot(Protocol):
    """Wallets of one shard at its flush cursor, read in one snapshot."""

    @property
    def cursor(self) -> tuple[int, int]:
        """Epoch and sequence number of the shard's flush cursor."""
        ...

    @property
    def wallets(self) -> Mapping[str, WalletState]:
        """By user; a user never seen has no coins."""
        ...


class Credit(Protocol):
    """A numbered credit of the outbox."""

    @property
    def credit_no(self) -> int:
        """Its number, counted per user from 1."""
        ...

    @property
    def coins(self) -> int:
        """Coins it brings."""
        ...


class PastReceipt(Protocol):
    """The receipt of a gift that stands in the durable ledger; amounts in coins and diamonds, times in Unix ms."""

    @property
    def sender(self) -> str:
        """Who sent it."""
        ...

    @property
    def key(self) -> str:
        """Its idempotency key."""
        ...

    @property
    def request_hash(self) -> str:
        """What the key stands for."""
        ...

    @property
    def epoch(self) -> int:
        """With `seq` its number in its shard."""
        ...

    @property
    def seq(self) -> int:
        """With `epoch` its number in its shard."""
        ...

    @property
    def coins(self) -> int:
        """What it cost."""
        ...

    @property
    def diamonds(self) -> int:
        """What the creator got."""
        ...

    @property
    def balance_coins(self) -> int:
        """The sender's coins after it."""
        ...

    @property
    def at_ms(self) -> int:
        """When it was decided."""
        ...


class WalletSource(Protocol):
    """The durable ledger, as far as loading wallets needs it."""

    def snapshot(self, users: Sequence[str], shard: int, at_s: float) -> Awaitable[WalletSnapshot]:
        """These users' wallets now, their windows around `at_s` (Unix seconds)."""
        ...

    def kept_until(self, shard: int, epoch: int) -> Awaitable[int | None]:
        """Number up to which the shard's gifts survived every opening after this epoch; None when there was none."""
        ...

    def receipts(self, senders: Sequence[str], keys: Sequence[str]) -> Awaitable[Sequence[PastReceipt]]:
        """Receipts of these keys, each of the sender at its place; those that bought nothing are left out."""
        ...

    def credits_after(self, user: str, credit_no: int) -> Awaitable[Sequence[Credit]]:
        """Credits numbered after `credit_no`, in order."""
        ...

"""The contract of a payment provider. A plug-in speaks its provider's language and never touches a balance.

The core owns states, ledger and de-duplication: it asks a provider for what is true now (`fetch`), and lets that move
the payment. An event only says that it is worth asking. tests/giftserver/recharge/test_contract.py is what every
plug-in must pass.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol

from giftserver.recharge.states import State

PAYOUT_AGAIN_S: Final = 28 * 86_400
"""So long after it was first asked for, a payout may be asked for again. A provider forgets our id later (PayPal after
30 days), and would pay twice: by then a person must look."""


class ProviderAway(Exception):
    """The provider gave no usable answer: what became of the call is unknown, and it may be asked again."""


class ProviderRefused(Exception):
    """The provider said no, and would again; the message is for the log."""


@dataclass(frozen=True, slots=True)
class PayoutAddress:
    """Where a provider pays people out to: `label` are words for a form, `pattern` what an address matches fully."""

    label: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a provider can do. `methods` in words for buyers; `currencies` None: any; `movements`: it lists its own.

    `payouts` None: it pays nobody out.
    """

    title: str
    methods: tuple[str, ...]
    currencies: frozenset[str] | None
    refunds: bool
    movements: bool = False
    payouts: PayoutAddress | None = None


@dataclass(frozen=True, slots=True)
class CheckoutOrder:
    """What a provider is asked to take. `payment` is our id, and the key under which asking again is the same."""

    payment: str
    amount_minor: int
    currency: str
    description: str
    return_url: str
    webhook_url: str
    expires_in_s: int


@dataclass(frozen=True, slots=True)
class DisputeNews:
    """A dispute as its provider has it now. `state`: warning, open, won (closed without harm, too) or lost."""

    ref: str
    amount_minor: int
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A payment as its provider has it now; amounts in minor units of `currency`.

    `state` is one of pending to succeeded, or an end without money. `captured_minor` is what was really taken. `live`:
    real money. `decline`: why the last attempt failed, as the provider calls it. `failed_refunds` are the keys of those
    refunds of ours that did not reach the buyer, also when they were told as paid before.
    """

    ref: str
    payment: str
    state: State
    currency: str
    captured_minor: int
    refunded_minor: int
    live: bool
    url: str | None = None
    method: str | None = None
    decline: str | None = None
    disputes: tuple[DisputeNews, ...] = ()
    failed_refunds: tuple[str, ...] = ()

    @property
    def kept_minor(self) -> int:
        """What the provider took and still has for us: neither paid back, nor gone by a dispute that was lost."""
        lost_minor = sum(one.amount_minor for one in self.disputes if one.state == "lost")
        return max(0, self.captured_minor - self.refunded_minor - lost_minor)

    @property
    def disputed_minor(self) -> int:
        """What the buyer's bank asks for, and has not decided yet."""
        return sum(one.amount_minor for one in self.disputes if one.state == "open")


@dataclass(frozen=True, slots=True)
class PayoutOrder:
    """What a provider is asked to pay out. `payout` is our id, and the key under which asking again is the same.

    `amount_minor` in minor units of `currency`; `address` matches the pattern of `capabilities`. `webhook_url`: where
    news goes, for a provider that is told so; empty: nowhere.
    """

    payout: str
    amount_minor: int
    currency: str
    address: str
    description: str
    webhook_url: str = ""


PayoutNewsState = Literal["pending", "paid", "failed", "returned"]
"""On its way; arrived; never arrived; arrived and came back. Of the last three only paid can still change."""


@dataclass(frozen=True, slots=True)
class PayoutNews:
    """A payout as its provider has it now: what it says of the amount, in minor units of `currency`.

    `ref` is the provider's reference, `payout` our id, `live` says whether it was real money. `reason`: why it failed
    or came back, as the provider calls it.
    """

    ref: str
    payout: str
    state: PayoutNewsState
    amount_minor: int
    currency: str
    live: bool
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ProviderEvent:
    """Something happened to the payment or payout of ours that `payment` names, which is `ref` at the provider.

    `id` is the provider's own, the same for every copy.
    """

    id: str
    kind: str
    ref: str
    payment: str
    live: bool


@dataclass(frozen=True, slots=True)
class Movement:
    """Money that moved at a provider, in minor units of `currency`: above zero what it owes us more by it.

    `kind` is charge, refund or dispute, of our `payment`; payout, of our payout; or fee, payout (to our own bank) or
    other, which are of none ("").
    """

    id: str
    kind: str
    payment: str
    currency: str
    amount_minor: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Rejected:
    """A webhook that is not believed, and why; nothing of it is kept."""

    reason: str


class Provider(Protocol):
    """One way to pay. Methods raise ProviderAway and ProviderRefused, nothing else."""

    @property
    def name(self) -> str:
        """Short name, which stays: payments and the ledger's accounts have it."""
        ...

    @property
    def live(self) -> bool:
        """Whether its money is real; what says otherwise is refused."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def create(self, order: CheckoutOrder) -> Snapshot:
        """Open a checkout, with its `url`; for the same payment always the same one."""
        ...

    async def fetch(self, ref: str) -> Snapshot | None:
        """What is true of a checkout now; None when there is none of this reference."""
        ...

    async def find(self, payment: str) -> Snapshot | None:
        """The checkout of our payment, None when there is none: for when `create` was not answered."""
        ...

    async def cancel(self, ref: str) -> Snapshot:
        """Close a checkout that nobody paid; one that was paid stays so."""
        ...

    async def refund(self, ref: str, amount_minor: int, key: str) -> bool:
        """Give a part of what was paid back, once for each key; whether that succeeded."""
        ...

    async def payout(self, order: PayoutOrder) -> PayoutNews:
        """Pay somebody out, once for each `order.payout`: asked again it is the same payout, as it is then.

        Raises ProviderAway when it is not known whether it was made: so, too, when we are not let in. Raises
        ProviderRefused when nothing was sent for this order and nothing would be, as for an amount other than that of
        an earlier order of this id. May be asked again for PAYOUT_AGAIN_S.
        """
        ...

    async def find_payout(self, payout: str, ref: str = "") -> PayoutNews | None:
        """What is true of our payout now; `ref` is its reference, once the provider told one.

        None when there is none; also when there is one of which no reference was told, at a provider that cannot look
        for our id. Then `payout` is what finds it. Raises ProviderRefused when it pays nobody out, as `capabilities`
        say, and for nothing else.
        """
        ...

    async def movements(self, from_s: float, until_s: float) -> list[Movement]:
        """All money that moved at the provider, from and until these moments (s since 1970), whatever it told us.

        Raises ProviderRefused when it cannot say, as `capabilities` do.
        """
        ...

    def verify(self, headers: Mapping[str, str], raw: bytes, now_s: float) -> list[ProviderEvent] | Rejected:
        """The events of a webhook whose signature over the raw bytes is right, or why it is not believed."""
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...

"""What a batch of gifts does to the accounts and to the sums by day, worked out while nothing is locked.

A gift is four entries: the wallet pays the platform's gifts_spent in coins, the platform's diamonds_issued pays the
creator's earnings in diamonds. A gift of no diamonds has the first two.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

from giftserver.durable.intake import EPOCH, FlushedGift

DAY_MS: Final = 86_400_000

Line = tuple[int, int, int, int, int, int]
"""An entry: transfer, n, account, version, amount, balance_after."""


class Name(NamedTuple):
    """What an account is found by."""

    kind: str
    owner: str
    asset: str


COINS_SOLD: Final = Name("coins_sold", "platform", "coins")
PROMOTIONS: Final = Name("promotions", "platform", "coins")
OWED_TO_PLATFORM: Final = Name("owed_to_platform", "platform", "coins")
ADJUSTMENTS: Final = Name("adjustments", "platform", "coins")
GIFTS_SPENT: Final = Name("gifts_spent", "platform", "coins")
DIAMONDS_ISSUED: Final = Name("diamonds_issued", "platform", "diamonds")
PAID_OUT: Final = Name("paid_out", "platform", "diamonds")


def wallet(owner: str) -> Name:
    """The account of a user's coins."""
    return Name("wallet", owner, "coins")


def earnings(owner: str) -> Name:
    """The account of a creator's diamonds."""
    return Name("earnings", owner, "diamonds")


def payout_held(owner: str) -> Name:
    """The account of a creator's diamonds that are set aside for payouts under way."""
    return Name("payout_held", owner, "diamonds")


def paid_out(currency: str) -> Name:
    """The account of the money that creators were paid."""
    return Name("paid_out", "platform", currency)


def clearing(provider: str, currency: str) -> Name:
    """The account of the money that a payment provider owes us."""
    return Name("clearing", provider, currency)


def revenue(currency: str) -> Name:
    """The account that bought coins are paid to; its balance is minus what was ever paid."""
    return Name("revenue", "platform", currency)


def disputed(provider: str, currency: str) -> Name:
    """The account of money that a provider keeps until a dispute is decided."""
    return Name("disputed", provider, currency)


def charged_back(currency: str) -> Name:
    """The account of money that was lost in disputes."""
    return Name("charged_back", "platform", currency)


def frozen(owner: str) -> Name:
    """The account of a user's coins that nobody may spend: the purchase they are of is claimed back."""
    return Name("frozen", owner, "coins")


def owed(owner: str) -> Name:
    """The account of coins that a user spent and never paid for."""
    return Name("owed", owner, "coins")


@dataclass(slots=True)
class Sum:
    """What a batch moves on one account, and by how many entries."""

    amount: int = 0
    entries: int = 0


@dataclass(slots=True)
class DaySum:
    """What a creator got in a room on one UTC day."""

    gifts: int = 0
    coins: int = 0
    diamonds: int = 0


@dataclass(slots=True)
class Account:
    """An account as of one entry: its balance and the number of its entries."""

    id: int
    balance: int
    version: int


def sums(gifts: Iterable[FlushedGift]) -> dict[Name, Sum]:
    """What the gifts move on every account they touch."""
    spent: dict[str, Sum] = {}
    earned: dict[str, Sum] = {}
    for gift in gifts:
        event = gift.event
        add(spent, event.sender, -event.coins)
        if event.diamonds:
            add(earned, event.creator, event.diamonds)
    found = {wallet(owner): moved for owner, moved in spent.items()}
    found |= {earnings(owner): moved for owner, moved in earned.items()}
    found[GIFTS_SPENT] = opposite(spent.values())
    if earned:
        found[DIAMONDS_ISSUED] = opposite(earned.values())
    return found


def add(moved: dict[str, Sum], owner: str, amount: int) -> None:
    """Count one entry of an owner."""
    known = moved.get(owner)
    if known is None:
        moved[owner] = Sum(amount, 1)
    else:
        known.amount += amount
        known.entries += 1


def opposite(moved: Iterable[Sum]) -> Sum:
    """The platform's side of what others moved."""
    total = Sum()
    for one in moved:
        total.amount -= one.amount
        total.entries += one.entries
    return total


def days(gifts: Iterable[FlushedGift]) -> dict[tuple[str, date, str], DaySum]:
    """Sums by creator, UTC day and room."""
    found: dict[tuple[str, int, str], DaySum] = {}
    for gift in gifts:
        event = gift.event
        name = (event.creator, gift.at_ms // DAY_MS, event.room)
        day = found.get(name)
        if day is None:
            day = found[name] = DaySum()
        day.gifts += 1
        day.coins += event.coins
        day.diamonds += event.diamonds
    first = EPOCH.date()
    return {(creator, first + timedelta(days=day), room): total for (creator, day, room), total in found.items()}


def lines(gifts: Sequence[FlushedGift], before: Mapping[Name, Account]) -> Iterator[Line]:
    """The gifts' entries, in order, on accounts that stand as in `before`; these go along to the end of the batch."""
    wallets = {name.owner: known for name, known in before.items() if name.kind == "wallet"}
    earners = {name.owner: known for name, known in before.items() if name.kind == "earnings"}
    spent, issued = before[GIFTS_SPENT], before.get(DIAMONDS_ISSUED)
    for gift in gifts:
        event, transfer = gift.event, gift.transfer_number
        yield line(transfer, 1, wallets[event.sender], -event.coins)
        yield line(transfer, 2, spent, event.coins)
        if event.diamonds:
            assert issued is not None
            yield line(transfer, 3, issued, -event.diamonds)
            yield line(transfer, 4, earners[event.creator], event.diamonds)


def line(transfer: int, n: int, account: Account, amount: int) -> Line:
    """The next entry of an account."""
    account.balance += amount
    account.version += 1
    return transfer, n, account.id, account.version, amount, account.balance

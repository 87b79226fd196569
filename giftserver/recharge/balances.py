"""Our book against a provider's: payment by payment and payout by payout, for all that was ordered in a time, with what
became of it since.

A payment's money is compared as a whole, so nothing depends on the minute in which either side booked a movement. What
moved just now may be on its way to the other side: it is told, and is no difference yet.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.balances import booked_payments, clearing_balances, known_payments
from giftserver.recharge.provider import Movement, Provider, ProviderAway, ProviderRefused

ON_ITS_WAY_S: Final = 300.0
"""A payment that moved so shortly ago may be known on one side only."""

DAYS: Final = 31
"""So many days are compared when none is named."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A payment of which the two sides say different amounts, in minor units; `on_its_way`: it moved just now."""

    payment: str
    ours_minor: int
    theirs_minor: int
    on_its_way: bool

    @property
    def what(self) -> str:
        """Which kind of difference it is, in words."""
        if not self.theirs_minor:
            return "in our book, not at the provider"
        return "different amounts" if self.ours_minor else "at the provider, not in our book"


@dataclass(slots=True)
class Balance:
    """One provider and currency, in minor units.

    `clearing_minor` is the account's balance now; `ours_minor` and `theirs_minor` are of the payments compared. Fees,
    payouts to our own bank and other business of the account are not in our book: they explain what the provider has
    left. Payouts to creators are: they are compared as payments are.
    """

    provider: str
    currency: str
    clearing_minor: int = 0
    ours_minor: int = 0
    theirs_minor: int = 0
    fees_minor: int = 0
    payouts_minor: int = 0
    other_minor: int = 0
    differences: list[Difference] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Report:
    """The comparison with one provider; `problem`: why it could not be asked, and then only our side is there.

    `lists` is false for one that lists no movements, as its capabilities say.
    """

    provider: str
    balances: list[Balance]
    problem: str | None = None
    lists: bool = True

    @property
    def agrees(self) -> bool:
        """Whether the provider was asked, and no payment differs that is not on its way."""
        return self.problem is None and all(one.on_its_way for each in self.balances for one in each.differences)


def last_days(now: datetime) -> tuple[datetime, datetime]:
    """The time that is compared when no day is named."""
    return now - timedelta(days=DAYS), now


def whole_day(text: str) -> tuple[datetime, datetime]:
    """A UTC day, such as 2026-03-01. Raises ValueError and OverflowError."""
    day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    return day, day + timedelta(days=1)


async def compare(engine: AsyncEngine, provider: Provider, since: datetime, until: datetime) -> Report:
    """Compare payments ordered from `since` until `until`. Raises the database driver's errors."""
    now = datetime.now(UTC)
    balances = {
        currency: Balance(provider.name, currency, minor)
        for currency, minor in (await clearing_balances(engine, provider.name)).items()
    }
    try:
        moved = await provider.movements(max(0.0, since.timestamp()), now.timestamp())
    except (ProviderAway, ProviderRefused) as problem:
        return Report(provider.name, list(balances.values()), str(problem), provider.capabilities.movements)
    booked = await booked_payments(engine, provider.name, since, until)  # afterwards: what it told may be booked by now
    ours = {(one.payment, one.currency): one.minor for one in booked}
    changed_s = {one.payment: one.changed_at.timestamp() for one in booked}
    strange = sorted({one.payment for one in moved if one.payment} - changed_s.keys())
    known = await known_payments(engine, provider.name, strange)  # ordered at another time
    theirs: Counter[tuple[str, str]] = Counter()
    for one in moved:
        balance = balances.setdefault(one.currency, Balance(provider.name, one.currency))
        if not one.payment:
            _explain(balance, one)
        elif one.payment not in known and (one.payment in changed_s or one.at_s < until.timestamp()):
            theirs[one.payment, one.currency] += one.amount_minor
            changed_s[one.payment] = max(one.at_s, changed_s.get(one.payment, 0.0))
    young_s = now.timestamp() - ON_ITS_WAY_S
    review = {one.payment for one in booked if one.review}
    young = {id for id, at_s in changed_s.items() if at_s > young_s and id not in review}
    for difference, currency in _differences(ours, theirs, young):
        balances.setdefault(currency, Balance(provider.name, currency)).differences.append(difference)
    for (_, currency), minor in ours.items():
        balances.setdefault(currency, Balance(provider.name, currency)).ours_minor += minor
    for (_, currency), minor in theirs.items():
        balances[currency].theirs_minor += minor
    return Report(provider.name, [balances[currency] for currency in sorted(balances)])


def _explain(balance: Balance, one: Movement) -> None:
    if one.kind == "fee":
        balance.fees_minor += one.amount_minor
    elif one.kind == "payout":
        balance.payouts_minor += one.amount_minor
    else:
        balance.other_minor += one.amount_minor


def _differences(
    ours: Mapping[tuple[str, str], int], theirs: Mapping[tuple[str, str], int], young: Set[str]
) -> Iterator[tuple[Difference, str]]:
    for name in sorted({*ours, *theirs}):
        payment, currency = name
        mine, said = ours.get(name, 0), theirs.get(name, 0)
        if mine != said:
            yield Difference(payment, mine, said, payment in young), currency

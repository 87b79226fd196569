"""Balances for operators: what each payment provider owes us by our book, and whether it says the same."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.errors import Refusal
from giftserver.recharge.balances import Report, compare, last_days, whole_day
from giftserver.recharge.money import EXPONENTS
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.prices import OPERATORS
from rooms.codes import BAD_REQUEST

SHOWN_MAX: Final = 200
"""Differences that are listed of one currency; `giftserver reconcile` lists all."""


class BalancesQuery(msgspec.Struct, frozen=True):
    """A UTC day, such as 2026-03-01: payments ordered then, and all that became of them. Else the last 31 days."""

    day: Annotated[str, Meta(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$(?!\n)")] | None = None


class BalanceDifference(msgspec.Struct, frozen=True):
    """A payment that differs. `on_its_way`: it moved just now, so one side may not know it yet."""

    payment: str
    ours_minor: int
    theirs_minor: int
    what: str
    on_its_way: bool


class BalanceAnswer(msgspec.Struct, frozen=True):
    """A clearing account, and the payments compared; fees, payouts and other are at the provider only."""

    currency: str
    exponent: int
    clearing_minor: int
    ours_minor: int
    theirs_minor: int
    fees_minor: int
    payouts_minor: int
    other_minor: int
    differences: list[BalanceDifference]
    more: bool


class ProviderBalances(msgspec.Struct, frozen=True):
    """One provider; `problem`: why it could not be asked, and then nothing is compared."""

    provider: str
    agrees: bool
    problem: str | None
    balances: list[BalanceAnswer]


class BalancesAnswer(msgspec.Struct, frozen=True):
    """All providers of the settings, and the time whose payments were compared."""

    from_ms: int
    until_ms: int
    providers: list[ProviderBalances]


def _answer(report: Report) -> ProviderBalances:
    balances = [
        BalanceAnswer(
            one.currency, EXPONENTS.get(one.currency, 0), one.clearing_minor, one.ours_minor, one.theirs_minor,
            one.fees_minor, one.payouts_minor, one.other_minor,
            msgspec.convert(one.differences[:SHOWN_MAX], list[BalanceDifference], from_attributes=True),
            len(one.differences) > SHOWN_MAX,
        )
        for one in report.balances
    ]  # fmt: skip
    return ProviderBalances(report.provider, report.agrees, report.problem, balances)


async def compare_balances(call: Call[None, BalancesQuery]) -> BalancesAnswer | Refusal:
    """Ask every provider what moved, and compare it with the clearing accounts, payment by payment."""
    try:
        since, until = last_days(datetime.now(UTC)) if call.query.day is None else whole_day(call.query.day)
    except (ValueError, OverflowError):
        return Refusal(BAD_REQUEST, "There is no such day. Write it as 2026-03-01.")
    services = call.services
    reports = await asyncio.gather(
        *(compare(services.database, one, since, until) for one in services.recharges.providers.values())
    )
    span = [round(moment.timestamp() * 1_000) for moment in (since, until)]
    return BalancesAnswer(span[0], span[1], [_answer(report) for report in reports])


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/ops/balances", "Our book and the providers'", compare_balances, BalancesAnswer,
        query=BalancesQuery, roles=OPERATORS,
    ),
)  # fmt: skip

"""The caller's own wallet month by month: which months there are, one with its sums and entries, the same as CSV."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, tzinfo
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from starlette.responses import StreamingResponse

from giftserver.durable.history import PAGE_MAX, at_ms, wallet_history
from giftserver.durable.monthly import MonthLine, WalletMonth, month_lines, month_of, month_sums, months_of
from giftserver.errors import Refusal
from giftserver.months import Month
from giftserver.recharge.money import EXPONENTS
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.statement_csv import csv_of
from giftserver.web.wallet import PEOPLE, StatementEntry
from giftserver.zones import zone_named
from rooms.codes import BAD_REQUEST, NOT_FOUND

ZONE_CHARACTERS_MAX: Final = 64
Pages = AsyncIterator[list[MonthLine]]


class MonthsQuery(msgspec.Struct, frozen=True):
    """`zone` says when a month begins: an IANA name, such as `Europe/Berlin`."""

    zone: Annotated[str, Meta(max_length=ZONE_CHARACTERS_MAX)] = "UTC"


class MonthQuery(msgspec.Struct, frozen=True):
    """A page of a month's entries: `before` is the `next` of the page before it."""

    zone: Annotated[str, Meta(max_length=ZONE_CHARACTERS_MAX)] = "UTC"
    before: Annotated[int, Meta(ge=1, lt=2**53)] | None = None
    limit: Annotated[int, Meta(ge=1, le=PAGE_MAX)] = 50


class MonthAnswer(msgspec.Struct, frozen=True):
    """A month in which coins moved. `so_far`: it is not over, more may come."""

    month: str
    entries: int
    opening_coins: int
    closing_coins: int
    so_far: bool


class MonthsAnswer(msgspec.Struct, frozen=True):
    """Months with entries, newest first."""

    zone: str
    months: list[MonthAnswer]


class TotalAnswer(msgspec.Struct, frozen=True):
    """Coins that entries of a kind brought, or with a minus took. `bonus` is what came on top of bought coins."""

    kind: str
    entries: int
    coins: int


class MoneyAnswer(msgspec.Struct, frozen=True):
    """Money in minor units: paid for coins of the month; given back, disputed and decided in it.

    `exponent`: digits of the minor unit.
    """

    currency: str
    exponent: int
    paid_minor: int
    refunded_minor: int
    disputed_minor: int
    dispute_won_minor: int
    dispute_lost_minor: int


class CreatorAnswer(msgspec.Struct, frozen=True):
    """What a creator got of the wallet in the month; what was given back does not count."""

    creator: str
    gifts: int
    coins: int


class MonthStatementAnswer(msgspec.Struct, frozen=True):
    """A month: what was there, `totals` of what moved, what is left, and a page of the entries, newest first.

    Opening coins and all totals are the closing coins. `gifts_sent` counts a ×10 as ten. `creators` are the ten who got
    most. `next` is null on the last page. `so_far`: the month is not over, more may come.
    """

    month: str
    zone: str
    begins_at_ms: int
    ends_at_ms: int
    so_far: bool
    opening_coins: int
    closing_coins: int
    totals: list[TotalAnswer]
    money: list[MoneyAnswer]
    gifts_sent: int
    gifts_returned: int
    creators: list[CreatorAnswer]
    entries: list[StatementEntry]
    next: int | None


async def list_months(call: Call[None, MonthsQuery]) -> MonthsAnswer | Refusal:
    """The months in which coins of the caller moved."""
    zone = _zone(call.query.zone)
    if isinstance(zone, Refusal):
        return zone
    now = datetime.now(UTC)
    found = await months_of(call.services.database, call.user, zone, now)
    so_far = Month.of(now, zone)
    months = [
        MonthAnswer(str(one.month), one.entries, one.opening_coins, one.closing_coins, one.month == so_far)
        for one in reversed(found)
    ]
    return MonthsAnswer(call.query.zone, months)


async def get_month(call: Call[None, MonthQuery]) -> MonthStatementAnswer | Refusal:
    """One month of the caller's wallet; one without entries has the balance that was left before it."""
    asked = await _asked(call, call.query.zone)
    if isinstance(asked, Refusal):
        return asked
    found, zone, so_far = asked
    database, query = call.services.database, call.query
    sums = await month_sums(database, call.user, found, zone)
    before = min(query.before or found.last + 1, found.last + 1)
    page = await wallet_history(database, call.user, before, query.limit, after=found.first - 1)
    return MonthStatementAnswer(
        month=str(found.month),
        zone=query.zone,
        begins_at_ms=at_ms(found.month.begins(zone)),
        ends_at_ms=at_ms(found.month.following.begins(zone)),
        so_far=so_far,
        opening_coins=found.opening_coins,
        closing_coins=found.closing_coins,
        totals=msgspec.convert(sums.totals, list[TotalAnswer], from_attributes=True),
        money=[
            MoneyAnswer(
                one.currency, EXPONENTS[one.currency], one.paid_minor, one.refunded_minor, one.disputed_minor,
                one.dispute_won_minor, one.dispute_lost_minor,
            )
            for one in sums.money
        ],
        gifts_sent=sums.gifts_sent,
        gifts_returned=sums.gifts_returned,
        creators=msgspec.convert(sums.creators, list[CreatorAnswer], from_attributes=True),
        entries=msgspec.convert(page.entries, list[StatementEntry], from_attributes=True),
        next=page.next,
    )  # fmt: skip


async def get_month_as_csv(call: Call[None, MonthsQuery]) -> StreamingResponse | Refusal:
    """The same month as a file of comma separated values, oldest entry first."""
    asked = await _asked(call, call.query.zone)
    if isinstance(asked, Refusal):
        return asked
    found, zone, _ = asked
    database = call.services.database
    sums = await month_sums(database, call.user, found, zone)
    pages = month_lines(database, found)
    first = await anext(pages, None)  # before the answer begins: an engine that is away is then said
    file = csv_of(found, sums.money, _again(first, pages), zone)
    headers = {"content-disposition": f'attachment; filename="coins-{found.month}.csv"', "cache-control": "no-store"}
    return StreamingResponse(file, headers=headers, media_type="text/csv; charset=utf-8; header=present")


async def _again(first: list[MonthLine] | None, others: Pages) -> Pages:
    if first is not None:
        yield first
    async for page in others:
        yield page


def _zone(name: str) -> tzinfo | Refusal:
    zone = zone_named(name)
    return zone or Refusal(BAD_REQUEST, "There is no such time zone. Name one of the IANA list, such as Europe/Berlin.")


async def _asked(call: Call[None, Any], zone_name: str) -> tuple[WalletMonth, tzinfo, bool] | Refusal:
    """The month of the path in the zone, and whether it is not over."""
    zone = _zone(zone_name)
    if isinstance(zone, Refusal):
        return zone
    month = Month.parse(str(call.request.path_params["month"]))
    if month is None:
        return Refusal(BAD_REQUEST, "A month is written as 2026-03.")
    now = datetime.now(UTC)
    so_far = Month.of(now, zone)
    if month > so_far:
        return Refusal(NOT_FOUND, f"{month} has not begun.")
    return await month_of(call.services.database, call.user, month, zone, now), zone, month == so_far


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "GET", "/v1/wallet/statements", "The months of your statement", list_months, MonthsAnswer, query=MonthsQuery,
        roles=PEOPLE,
    ),
    # Before the month itself, whose path would take the ending for a part of the month.
    Endpoint(
        "GET", "/v1/wallet/statements/{month}.csv", "Your statement of a month as CSV", get_month_as_csv, str,
        query=MonthsQuery, roles=PEOPLE, refusals=(NOT_FOUND,), media_type="text/csv",
    ),
    Endpoint(
        "GET", "/v1/wallet/statements/{month}", "Your statement of a month", get_month, MonthStatementAnswer,
        query=MonthQuery, roles=PEOPLE, refusals=(NOT_FOUND,),
    ),
)  # fmt: skip

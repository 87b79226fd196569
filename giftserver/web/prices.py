"""Prices for operators: propose a list, and approve one that somebody else proposed."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sqlalchemy.exc import IntegrityError

from giftserver.auth.tokens import Role
from giftserver.away import constraint_of
from giftserver.durable import prices as stored
from giftserver.durable.history import at_ms
from giftserver.durable.prices import Overtaken, StoredList
from giftserver.errors import PRICES_OVERTAKEN, Refusal
from giftserver.recharge.prices import PriceList, problems
from giftserver.web.endpoint import Call, Endpoint
from rooms.codes import BAD_REQUEST, FORBIDDEN, NOT_FOUND

OPERATORS: Final[tuple[Role, ...]] = ("admin",)
SHOWN: Final = 50
VERSION_LIMIT: Final = 2**31


class PriceListAnswer(msgspec.Struct, frozen=True):
    """A price list; in force is the newest that was approved."""

    version: int
    prices: PriceList
    proposed_by: str
    proposed_at_ms: int
    approved_by: str | None
    approved_at_ms: int | None


class PriceListsAnswer(msgspec.Struct, frozen=True):
    """The list in force (version 0 came with the server), and what was proposed, newest first."""

    in_force_version: int
    in_force: PriceList
    lists: list[PriceListAnswer]


class ApproveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which list."""

    version: Annotated[int, Meta(ge=1, lt=VERSION_LIMIT)]


def _answer(found: StoredList) -> PriceListAnswer:
    approved = at_ms(found.approved_at) if found.approved_at else None
    body = msgspec.json.decode(found.body, type=PriceList)
    return PriceListAnswer(
        found.version, body, found.proposed_by, at_ms(found.proposed_at), found.approved_by, approved
    )


async def list_prices(call: Call[None, None]) -> PriceListsAnswer:
    """What is in force, and the proposals."""
    in_force = await call.services.recharges.pricing.prices()
    lists = await stored.all_lists(call.services.database, SHOWN)
    return PriceListsAnswer(in_force.version, in_force.list, [_answer(one) for one in lists])


async def propose_prices(call: Call[PriceList, None]) -> PriceListAnswer | Refusal:
    """Propose a list. It is in force once somebody else approved it."""
    wrong = next(problems(call.body), None)
    if wrong is not None:
        return Refusal(BAD_REQUEST, f"This cannot be a price list. {wrong}")
    body = msgspec.json.encode(call.body).decode()
    return _answer(await stored.propose(call.services.database, body, call.actor))


async def approve_prices(call: Call[ApproveRequest, None]) -> PriceListAnswer | Refusal:
    """Put a list in force that somebody else proposed."""
    try:
        found = await stored.approve(call.services.database, call.body.version, call.actor)
    except IntegrityError as problem:
        if constraint_of(problem) != "price_list_two_persons":
            raise
        return Refusal(FORBIDDEN, "Who proposed a price list cannot approve it. Ask a second person.")
    except Overtaken as problem:
        words = f"Version {problem}, which is newer, is in force: this one would change nothing. Propose it anew."
        return Refusal(PRICES_OVERTAKEN, words)
    return _answer(found) if found else Refusal(NOT_FOUND, f"There is no price list {call.body.version}.")


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint("GET", "/v1/ops/prices", "Price lists", list_prices, PriceListsAnswer, roles=OPERATORS),
    Endpoint(
        "POST", "/v1/ops/prices", "Propose a price list", propose_prices, PriceListAnswer, body=PriceList,
        roles=OPERATORS,
    ),
    Endpoint(
        "POST", "/v1/ops/prices/approve", "Approve a price list", approve_prices, PriceListAnswer, body=ApproveRequest,
        roles=OPERATORS, refusals=(NOT_FOUND, PRICES_OVERTAKEN),
    ),
)  # fmt: skip

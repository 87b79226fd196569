"""What has happened before somebody opens the demo: payments that went well and wrong, claims, a case, proposals.

Each story is told once, by the people of the demo and the sandbox, over the web API: nothing is written behind it. One
that has begun is not begun again, and one that cannot go on is left as it is.
"""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import structlog

from giftserver.demo.people import DEPUTY, OPERATOR
from giftserver.demo.visits import Visits, fixed_key, open_visits, session_of
from giftserver.settings import Settings

log = structlog.get_logger()

STORY_S: Final = 60.0
ROOM: Final = "meadow"
TOO_LITTLE_MONEY: Final = "4000 0000 0000 9995"
BANK_ASKS: Final = "4000 0000 0000 3220"
ATTEMPTS: Final = 5
"""So many declines end a checkout of the sandbox."""

Story = Callable[[Visits, str], Awaitable[None]]


async def bonus(visits: Visits, person: str) -> None:
    """The first purchase, with what comes on top."""
    await visits.bought(person, "coins-700")


async def declined(visits: Visits, person: str) -> None:
    """There was too little money on the card, however often it was tried."""
    payment = await visits.order(person, "coins-1400")
    for _ in range(ATTEMPTS):
        await visits.pay(payment, TOO_LITTLE_MONEY)
    await visits.until(person, f"/v1/payments/{payment['id']}", lambda found: found["state"] == "failed")


async def not_confirmed(visits: Visits, person: str) -> None:
    """The bank asked, and the buyer said no; they may try again."""
    payment = await visits.order(person, "coins-350")
    await visits.pay(payment, BANK_ASKS)
    await visits.page(payment, "/secure", {"answer": "no"})


async def on_its_way(visits: Visits, person: str) -> None:
    """A bank transfer that has not arrived."""
    await visits.page(await visits.order(person, "coins-3500"), "", {"method": "bank"})


async def late(visits: Visits, person: str) -> None:
    """No webhook comes, so the buyer asks; an operator wants to give something for the trouble."""
    payment = await visits.order(person, "coins-700")
    await visits.control("PUT", f"{session_of(payment)}/mischief", {"drop": 1.0})
    await visits.pay(payment)
    await visits.ask(person, "POST", f"/v1/payments/{payment['id']}/check", {})
    thanks = {"key": fixed_key("for the trouble"), "user": person, "coins": 50, "reason": "the coins came late"}
    await visits.ask(DEPUTY, "POST", "/v1/ops/adjustments", thanks)


async def partly_back(visits: Visits, person: str) -> None:
    """An operator gave back a part."""
    payment = await visits.bought(person, "coins-700")
    part = {
        "key": fixed_key("partly back"), "amount_minor": payment["amount_minor"] * 2 // 5, "reason": "meant to buy less"
    }  # fmt: skip
    await visits.ask(OPERATOR, "POST", f"/v1/ops/payments/{payment['id']}/refund", part)


async def disputed(visits: Visits, person: str) -> None:
    """The cardholder complained; what is unspent is frozen until the bank decides."""
    payment = await visits.bought(person, "coins-700")
    await visits.control("POST", f"{session_of(payment)}/disputes", {"reason": "fraudulent"})


async def dispute_lost(visits: Visits, person: str) -> None:
    """The coins were spent before the bank took the money back: the creator gives back diamonds, the buyer owes."""
    payment = await visits.bought(person, "coins-700")
    await visits.give(person, ROOM, "fountain", 5, 100)
    dispute = await visits.control("POST", f"{session_of(payment)}/disputes", {"reason": "fraudulent"})
    claims = f"/v1/ops/payments/{payment['id']}"
    await visits.until(OPERATOR, claims, lambda found: [one["state"] for one in found["claims"]] == ["frozen"])
    await visits.control("POST", f"/v1/disputes/{dispute['id']}", {"state": "lost"})


async def another_amount(visits: Visits, person: str) -> None:
    """The provider took another amount than was asked for: nothing is credited, a person decides."""
    payment = await visits.order(person, "coins-350")
    await visits.control("PUT", f"{session_of(payment)}/mischief", {"wrong_amount": True})
    await visits.pay(payment)


async def parents_card(visits: Visits, person: str) -> None:
    """Nobody knew how old the buyer is; the parent whose card it was reports it, and the wallet is held at once."""
    payment = await visits.bought(person, "coins-3500")
    told = {
        "key": fixed_key("parent's card"), "subject": {"kind": "payment", "id": payment["id"]},
        "reason": "unauthorised", "note": "I am the mother. My son is 12, and paid with my card without asking.",
        "hold": True,
    }  # fmt: skip
    await visits.ask(person, "POST", "/v1/reports", told)


PAYING: Final[Mapping[str, Story]] = MappingProxyType(
    {
        "oskar": bonus,
        "petra": declined,
        "quinn": not_confirmed,
        "rosa": on_its_way,
        "samir": late,
        "tilda": partly_back,
        "ulla": disputed,
        "viktor": dispute_lost,
        "wanda": another_amount,
        "leo": parents_card,
    }
)
"""Whose payment tells what."""


async def paying(visits: Visits, person: str) -> None:
    """A story of somebody who has never bought anything."""
    if visits.sells and not (await visits.ask(person, "GET", "/v1/payments?limit=1"))["payments"]:
        await PAYING[person](visits, person)


async def guarded(visits: Visits, ward: str) -> None:
    """Greta looks after somebody, whose limits she set, and one of which will be raised."""
    if (await visits.ask("greta", "GET", "/v1/guardian/wards"))["wards"]:
        return
    await visits.ask(ward, "PUT", "/v1/limits", {"gift_coins": 100})
    code = (await visits.ask(ward, "POST", "/v1/guardian/codes", {}))["code"]
    await visits.ask("greta", "POST", "/v1/guardian/wards", {"code": code})
    limits = f"/v1/guardian/wards/{ward}/limits"
    await visits.ask("greta", "PUT", limits, {"day_coins": 500, "month_coins": 5_000})
    await visits.ask("greta", "PUT", limits, {"day_coins": 1_000})


async def other_prices(visits: Visits, person: str) -> None:
    """An operator proposes prices with a promotion."""
    prices = await visits.ask(person, "GET", "/v1/ops/prices")
    if prices["lists"]:
        return
    proposed: dict[str, Any] = copy.deepcopy(prices["in_force"])
    proposed["promotions"].append({
        "id": "harbour-nights", "title": "Harbour nights: 15 % more with LANTERN", "bonus_percent": 15,
        "bonus_coins_max": 500, "code": "LANTERN",
    })  # fmt: skip
    await visits.ask(person, "POST", "/v1/ops/prices", proposed)


async def tell(settings: Settings) -> None:
    """Wait for the demo, tell every story that was never begun, and say so in the log. Raises nothing."""
    try:
        async with open_visits(settings) as visits:
            told = [_told(visits, person, paying) for person in PAYING]
            done = await asyncio.gather(*told, _told(visits, "nils", guarded), _told(visits, DEPUTY, other_prices))
    except Exception as problem:  # the demo goes on without its past
        log.warning("stories_left", error=type(problem).__name__)
    else:
        log.info("stories_told", told=sum(done), left=len(done) - sum(done))


async def _told(visits: Visits, person: str, story: Story) -> bool:
    try:
        async with asyncio.timeout(STORY_S):
            await story(visits, person)
    except Exception as problem:  # a server that is away, a refusal, another answer: one story less
        log.warning("story_left", story=person, error=type(problem).__name__, reason=str(problem))
        return False
    return True

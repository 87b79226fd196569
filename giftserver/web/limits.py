"""The caller's spending limits: what holds, what is left, and changing it."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, Meta, UnsetType

from giftserver.durable.history import at_ms
from giftserver.durable.limits import AMOUNTS, Amount, Refused
from giftserver.errors import LIMIT_STAYS, Refusal
from giftserver.ledger.events import COINS_MAX
from giftserver.limits.service import View
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.wallet import PEOPLE
from giftserver.zones import is_place
from rooms.codes import BAD_REQUEST

Coins = Annotated[int, Meta(ge=0, le=COINS_MAX)]
BREAK_HOURS_MAX: Final = 8_784
SESSION_HOURS_MAX: Final = 24
BreakHours = Annotated[int, Meta(ge=1, le=BREAK_HOURS_MAX)]


class LimitAnswer(msgspec.Struct, frozen=True):
    """One limit, `gift`, `day`, `month` or `session`: `coins` hold, the stricter of one's own and a guardian's.

    `sent_coins` count gifts, `bought_coins` orders, paid or open, each for itself against `coins`; null where nothing
    is counted, or while it is not known. `left_coins` is of gifts. Null `coins`: no limit. At
    `resets_at_ms` the day or month is over; of who changed their zone lately, a part may count in the next one.
    """

    kind: str
    coins: int | None
    own_coins: int | None
    guardian_coins: int | None
    sent_coins: int | None
    bought_coins: int | None
    left_coins: int | None
    resets_at_ms: int | None


class WaitingAnswer(msgspec.Struct, frozen=True):
    """A change that begins later: looser limits do. `scope`: `own` or `guardian`."""

    scope: str
    kind: str
    coins: int | None
    zone: str | None
    from_at_ms: int


class LimitsAnswer(msgspec.Struct, frozen=True):
    """Everything that limits one person. `platform_day_coins` holds while no limit of a day is chosen.

    `break_until_ms`: nothing is sent or bought before. `guardian`: the name of who looks after this person.
    """

    zone: str
    platform_day_coins: int | None
    limits: list[LimitAnswer]
    waiting: list[WaitingAnswer]
    break_until_ms: int | None
    guardian: str | None


class AmountsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits in coins; null: none of this kind. What is left out stays."""

    gift_coins: Coins | UnsetType | None = UNSET
    day_coins: Coins | UnsetType | None = UNSET
    month_coins: Coins | UnsetType | None = UNSET

    def wishes(self) -> dict[Amount, int | None]:
        """What is asked for."""
        asked = zip(AMOUNTS, (self.gift_coins, self.day_coins, self.month_coins), strict=True)
        return {amount: coins for amount, coins in asked if not isinstance(coins, UnsetType)}


class ZoneRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A time zone of the IANA database, such as Europe/Berlin."""

    zone: Annotated[str, Meta(min_length=1, max_length=64)]


class BreakRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many hours from now."""

    hours: BreakHours


class BudgetRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Coins for gifts, and as many for orders, in the next hours.

    While it runs it can only be lowered, and ends when it was to end.
    """

    coins: Coins
    hours: Annotated[int, Meta(ge=1, le=SESSION_HOURS_MAX)]


def answer_of(view: View) -> LimitsAnswer:
    """The limits of one person as they, or their guardian, see them."""
    standing = view.standing
    sent = view.sent
    counted: dict[Amount, tuple[int | None, int | None, int | None]] = {
        "gift": (None, None, None),
        "day": (None if sent is None else sent.day_coins, view.bought.day, view.day_until_s),
        "month": (None if sent is None else sent.month_coins, view.bought.month, view.month_until_s),
    }
    found = []
    for amount in AMOUNTS:
        most = standing.most(amount)
        if most is None and amount == "day":
            most = view.day_default
        so_far, bought, until_s = counted[amount]
        if most is None and amount == "month":
            so_far = None  # counted only where it is limited
        own, guardian = standing.coins.get(("own", amount)), standing.coins.get(("guardian", amount))
        found.append(_limit(amount, most, (own, guardian), so_far, bought, until_s))
    if standing.budget is not None:
        until_s, coins = int(standing.budget.ends_at.timestamp()), standing.budget.coins
        begun_s = int(standing.budget.begins_at.timestamp())
        so_far = None if sent is None else sent.session_coins if sent.session_from_s == begun_s else 0
        found.append(_limit("session", coins, (coins, None), so_far, view.bought.session, until_s))
    return LimitsAnswer(
        zone=view.zone,
        platform_day_coins=view.day_default,
        limits=found,
        waiting=[WaitingAnswer(one.scope, one.field, one.coins, one.zone, at_ms(one.from_at)) for one in view.waiting],
        break_until_ms=(standing.limits().locked_until_s * 1_000) or None,
        guardian=None if view.guardian is None else view.guardian.guardian_name,
    )


def _limit(
    kind: str, coins: int | None, chosen: tuple[int | None, int | None], sent: int | None, bought: int | None,
    until_s: int | None,
) -> LimitAnswer:  # fmt: skip
    left = None if coins is None or sent is None else max(0, coins - sent)
    return LimitAnswer(kind, coins, *chosen, sent, bought, left, None if until_s is None else until_s * 1_000)


async def get_limits(call: Call[None, None]) -> LimitsAnswer:
    """What the caller may spend, what is left of it, and when it begins anew."""
    return answer_of(await call.services.limits.view(call.user))


async def put_limits(call: Call[AmountsRequest, None]) -> LimitsAnswer | Refusal:
    """Lower limits begin at once, higher ones 24 hours later."""
    try:
        await call.services.limits.set_amounts(call.user, call.body.wishes())
    except Refused as problem:
        return Refusal(LIMIT_STAYS, str(problem))
    return answer_of(await call.services.limits.view(call.user))


async def put_zone(call: Call[ZoneRequest, None]) -> LimitsAnswer | Refusal:
    """Where days begin: the first choice at once, another one 24 hours later."""
    if not is_place(call.body.zone):
        return Refusal(BAD_REQUEST, "There is no such time zone: send a name such as Europe/Berlin.")
    try:
        await call.services.limits.set_zone(call.user, call.body.zone)
    except Refused as problem:
        return Refusal(LIMIT_STAYS, str(problem))
    return answer_of(await call.services.limits.view(call.user))


async def take_break(call: Call[BreakRequest, None]) -> LimitsAnswer | Refusal:
    """Send and buy nothing for a while; that cannot be undone."""
    try:
        await call.services.limits.take_break(call.user, call.body.hours)
    except Refused as problem:
        return Refusal(LIMIT_STAYS, str(problem))
    return answer_of(await call.services.limits.view(call.user))


async def set_budget(call: Call[BudgetRequest, None]) -> LimitsAnswer | Refusal:
    """Coins for this session."""
    try:
        await call.services.limits.set_budget(call.user, call.body.coins, call.body.hours)
    except Refused as problem:
        return Refusal(LIMIT_STAYS, str(problem))
    return answer_of(await call.services.limits.view(call.user))


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint("GET", "/v1/limits", "Your limits", get_limits, LimitsAnswer, roles=PEOPLE),
    Endpoint(
        "PUT", "/v1/limits", "Change your limits", put_limits, LimitsAnswer, body=AmountsRequest, roles=PEOPLE,
        refusals=(LIMIT_STAYS,),
    ),
    Endpoint(
        "PUT", "/v1/limits/zone", "Where your days begin", put_zone, LimitsAnswer, body=ZoneRequest, roles=PEOPLE,
        refusals=(LIMIT_STAYS,),
    ),
    Endpoint(
        "POST", "/v1/limits/break", "Take a break", take_break, LimitsAnswer, body=BreakRequest, roles=PEOPLE,
        refusals=(LIMIT_STAYS,),
    ),
    Endpoint(
        "POST", "/v1/limits/session", "A budget for now", set_budget, LimitsAnswer, body=BudgetRequest, roles=PEOPLE,
        refusals=(LIMIT_STAYS,),
    ),
)  # fmt: skip

"""Guardians: handing over a code, looking after somebody, and ending it."""

from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.auth.tokens import IDENTIFIER
from giftserver.durable.guardians import Link, link, link_of, make_code, unlink, wards_of
from giftserver.durable.history import at_ms
from giftserver.durable.limits import Refused
from giftserver.errors import AGE_RESTRICTED, GUARDIAN_REFUSED, LIMIT_STAYS, NOT_YOUR_WARD, Refusal
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.limits import AmountsRequest, LimitsAnswer, answer_of
from giftserver.web.wallet import PEOPLE

NOT_YOURS: Final = Refusal(NOT_YOUR_WARD, "You do not look after this person.")


class CodeAnswer(msgspec.Struct, frozen=True):
    """A code for one's guardian, good once and until then."""

    code: str
    expires_at_ms: int


class WardRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The code that the person has on their screen."""

    code: Annotated[str, Meta(min_length=1, max_length=20)]


class WardBreakRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """So many hours from now, a month at most: it outlives the link."""

    hours: Annotated[int, Meta(ge=1, le=744)]


class WardAnswer(msgspec.Struct, frozen=True):
    """Somebody the caller looks after."""

    user: str
    name: str
    linked_at_ms: int


class WardsAnswer(msgspec.Struct, frozen=True):
    """Everybody the caller looks after."""

    wards: list[WardAnswer]


def _ward(found: Link) -> WardAnswer:
    return WardAnswer(found.ward, found.ward_name, at_ms(found.linked_at))


def _ward_in_path(call: Call[Any, Any]) -> str | None:
    """The person in the path; None when nobody can have this id."""
    ward = str(call.request.path_params["ward"])
    return ward if IDENTIFIER.fullmatch(ward) else None


async def create_guardian_code(call: Call[None, None]) -> CodeAnswer | Refusal:
    """A code to hand to a guardian; older ones end."""
    assert call.identity is not None
    try:
        code, ends = await make_code(call.services.database, call.user, call.identity.name)
    except Refused as problem:
        return Refusal(GUARDIAN_REFUSED, str(problem))
    return CodeAnswer(code, at_ms(ends))


async def leave_guardian(call: Call[None, None]) -> LimitsAnswer | Refusal:
    """End it, as an adult; the guardian's limits hold for 24 hours more."""
    assert call.identity is not None
    if call.identity.minor:
        return Refusal(AGE_RESTRICTED, "Only your guardian can end this.")
    limits = call.services.limits
    if not await unlink(call.services.database, call.user, call.user, limits.day_default, as_guardian=False):
        return Refusal(GUARDIAN_REFUSED, "You have no guardian.")
    return answer_of(await limits.view(call.user))


async def add_ward(call: Call[WardRequest, None]) -> WardAnswer | Refusal:
    """Look after who made this code."""
    assert call.identity is not None
    if call.identity.minor:
        return Refusal(AGE_RESTRICTED, "A guardian is an adult.")
    try:
        return _ward(await link(call.services.database, call.body.code, call.user, call.identity.name))
    except Refused as problem:
        return Refusal(GUARDIAN_REFUSED, str(problem))


async def list_wards(call: Call[None, None]) -> WardsAnswer:
    """Whom the caller looks after."""
    return WardsAnswer([_ward(one) for one in await wards_of(call.services.database, call.user)])


async def get_ward_limits(call: Call[None, None]) -> LimitsAnswer | Refusal:
    """What somebody the caller looks after may spend, has sent and bought."""
    ward = _ward_in_path(call)
    found = None if ward is None else await link_of(call.services.database, ward)
    if ward is None or found is None or found.guardian != call.user:
        return NOT_YOURS
    view = await call.services.limits.view(ward)
    return answer_of(view) if view.guardian is not None and view.guardian.guardian == call.user else NOT_YOURS


async def put_ward_limits(call: Call[AmountsRequest, None]) -> LimitsAnswer | Refusal:
    """Limits that hold beside the person's own: lower ones begin at once, higher ones 24 hours later."""
    ward = _ward_in_path(call)
    try:
        if ward is None or not await call.services.limits.set_amounts(ward, call.body.wishes(), call.identity):
            return NOT_YOURS
    except Refused as problem:
        return Refusal(LIMIT_STAYS, str(problem))
    return await get_ward_limits(call)  # type: ignore[arg-type]


async def break_for_ward(call: Call[WardBreakRequest, None]) -> LimitsAnswer | Refusal:
    """Nothing is sent or bought by this person for a while; that cannot be undone."""
    ward = _ward_in_path(call)
    try:
        if ward is None or not await call.services.limits.take_break(ward, call.body.hours, call.identity):
            return NOT_YOURS
    except Refused as problem:
        return Refusal(LIMIT_STAYS, str(problem))
    return await get_ward_limits(call)  # type: ignore[arg-type]


async def remove_ward(call: Call[None, None]) -> WardsAnswer | Refusal:
    """Stop looking after somebody; the limits hold for 24 hours more."""
    ward, day_default = _ward_in_path(call), call.services.limits.day_default
    if ward is None or not await unlink(call.services.database, ward, call.user, day_default, as_guardian=True):
        return NOT_YOURS
    return await list_wards(call)


WARD: Final = "/v1/guardian/wards/{ward}"

ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint(
        "POST", "/v1/guardian/codes", "A code for your guardian", create_guardian_code, CodeAnswer, roles=PEOPLE,
        refusals=(GUARDIAN_REFUSED,),
    ),
    Endpoint(
        "DELETE", "/v1/guardian", "Leave your guardian", leave_guardian, LimitsAnswer, roles=PEOPLE,
        refusals=(AGE_RESTRICTED, GUARDIAN_REFUSED),
    ),
    Endpoint("GET", "/v1/guardian/wards", "Whom you look after", list_wards, WardsAnswer, roles=PEOPLE),
    Endpoint(
        "POST", "/v1/guardian/wards", "Look after somebody", add_ward, WardAnswer, body=WardRequest, roles=PEOPLE,
        refusals=(AGE_RESTRICTED, GUARDIAN_REFUSED),
    ),
    Endpoint(
        "GET", f"{WARD}/limits", "Limits of who you look after", get_ward_limits, LimitsAnswer, roles=PEOPLE,
        refusals=(NOT_YOUR_WARD,),
    ),
    Endpoint(
        "PUT", f"{WARD}/limits", "Change their limits", put_ward_limits, LimitsAnswer, body=AmountsRequest,
        roles=PEOPLE, refusals=(NOT_YOUR_WARD, LIMIT_STAYS),
    ),
    Endpoint(
        "POST", f"{WARD}/break", "Have them take a break", break_for_ward, LimitsAnswer, body=WardBreakRequest,
        roles=PEOPLE, refusals=(NOT_YOUR_WARD, LIMIT_STAYS),
    ),
    Endpoint(
        "DELETE", WARD, "Stop looking after somebody", remove_ward, WardsAnswer, roles=PEOPLE,
        refusals=(NOT_YOUR_WARD,),
    ),
)  # fmt: skip

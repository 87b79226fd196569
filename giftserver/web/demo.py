"""Endpoints of the demo: be anyone, and coins for nothing. They exist only where GIFTSERVER_DEMO is set."""

import uuid
from datetime import UTC, date, datetime
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta

from giftserver.auth.tokens import LIFE_MAX_S, mint
from giftserver.demo.people import EXAMPLES, OPERATORS, VIEWERS
from giftserver.durable.credits import ReferenceReused, credit
from giftserver.errors import KEY_REUSED, Refusal
from giftserver.gifts.messages import Identifier, Key
from giftserver.services import Services
from giftserver.web.endpoint import Call, Endpoint
from giftserver.web.wallet import PEOPLE
from rooms.codes import NOT_FOUND, UNAVAILABLE

TOPUP_COINS_MAX: Final = 10_000


class DemoPerson(msgspec.Struct, frozen=True, omit_defaults=True):
    """Somebody one may be; `room` is a creator's own, `story` is what happened to them."""

    id: str
    name: str
    role: str
    room: str | msgspec.UnsetType = msgspec.UNSET
    story: str | msgspec.UnsetType = msgspec.UNSET


class PeopleAnswer(msgspec.Struct, frozen=True):
    """Everybody one may be."""

    people: list[DemoPerson]


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who to be."""

    id: Identifier


class TokenAnswer(msgspec.Struct, frozen=True):
    """A token of that person."""

    token: str
    expires_in_s: int


class TopUpRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many coins to add to the caller's wallet; asked again with the same `key` they are added once."""

    coins: Annotated[int, Meta(ge=1, le=TOPUP_COINS_MAX)]
    key: Key | None = None


class TopUpAnswer(msgspec.Struct, frozen=True):
    """The coins stand in the durable ledger; the wallet has them a moment later."""

    credit_no: int
    coins: int


async def list_people(call: Call[None, None]) -> PeopleAnswer:
    """Everybody."""
    return PeopleAnswer(await _people(call.services))


async def _people(services: Services) -> list[DemoPerson]:
    """Viewers, the creators of all rooms, the operators, and those to whom something happened."""
    people = {id: DemoPerson(id, name, "viewer") for id, name in VIEWERS.items()}
    for room in await services.rooms.all():
        people[room.creator] = DemoPerson(room.creator, room.creator_name, "creator", room.id)
    people |= {id: DemoPerson(id, name, "admin") for id, name in OPERATORS.items()}
    people |= {id: DemoPerson(id, one.name, "viewer", story=one.story) for id, one in EXAMPLES.items()}
    return list(people.values())


async def issue_token(call: Call[TokenRequest, None]) -> TokenAnswer | Refusal:
    """A token of one of the people."""
    person = next((one for one in await _people(call.services) if one.id == call.body.id), None)
    if person is None:
        return Refusal(NOT_FOUND, f"There is nobody called {call.body.id} in the demo.")
    settings = call.services.settings
    if settings.jwt_secret is None:
        return Refusal(UNAVAILABLE, "The demo cannot sign tokens: set GIFTSERVER_JWT_SECRET.")
    token = mint(settings, person.id, person.name, person.role, None, LIFE_MAX_S, birthdate=_birthdate(person.id))
    return TokenAnswer(token, LIFE_MAX_S)


def _birthdate(id: str) -> date | None:
    """Where the platform would tell one: somebody who is always as old as their example says."""
    example = EXAMPLES.get(id)
    return date(datetime.now(UTC).year - example.age, 1, 1) if example is not None and example.age else None


async def top_up(call: Call[TopUpRequest, None]) -> TopUpAnswer | Refusal:
    """Coins for nothing."""
    reference = f"demo:{call.user}:{call.body.key or uuid.uuid4()}"
    try:
        made = await credit(call.services.database, call.user, call.body.coins, "top_up", reference)
    except ReferenceReused:
        return Refusal(KEY_REUSED, "This key was used for another number of coins. Make a new key.")
    return TopUpAnswer(made.credit_no, made.coins)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint("GET", "/demo/people", "Everybody one may be in the demo", list_people, PeopleAnswer),
    Endpoint(
        "POST", "/demo/token", "Be somebody", issue_token, TokenAnswer, body=TokenRequest,
        refusals=(NOT_FOUND, UNAVAILABLE),
    ),
    Endpoint(
        "POST", "/demo/topup", "Free coins", top_up, TopUpAnswer, body=TopUpRequest, roles=PEOPLE,
        refusals=(KEY_REUSED,),
    ),
)  # fmt: skip

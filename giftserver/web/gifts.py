"""The catalogue, what became of a gift, and tickets for sockets."""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta
from starlette.responses import Response

from giftserver.auth.overlay_links import OverlayLinks
from giftserver.auth.tickets import TICKET_TTL_S
from giftserver.errors import Refusal
from giftserver.gifts import catalog
from giftserver.gifts.messages import Receipt
from giftserver.web.endpoint import Call, Endpoint, authenticate
from giftserver.web.responses import unchanged
from rooms.codes import NOT_FOUND, UNAUTHORIZED


class CatalogGift(catalog.Gift, frozen=True, kw_only=True):
    """A gift as clients see it; `art` is the path of its picture."""

    art: str


class CatalogAnswer(msgspec.Struct, frozen=True):
    """Every gift, cheapest first; `version` changes with any of them."""

    version: int
    languages: list[str]
    gifts: list[CatalogGift]


class TicketRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Empty for the caller's own ticket; `overlay` is the token of an overlay link, which needs no identity."""

    overlay: Annotated[str, Meta(min_length=1, max_length=256)] | None = None


class TicketAnswer(msgspec.Struct, frozen=True):
    """A ticket for one connection: `?ticket=…`; `room` when it opens that room's socket alone."""

    ticket: str
    expires_in_s: int
    room: str | None


class GiftStatus(Receipt, frozen=True):
    """What a key bought; `state` is settled once the durable ledger has it, refunded when it was given back since."""

    state: Literal["accepted", "settled", "refunded"]


async def get_catalog(call: Call[None, None]) -> Response:
    """The catalogue's bytes, or 304 for who has them."""
    known = call.services.catalog
    headers = {"etag": known.etag, "cache-control": "public, max-age=0, must-revalidate"}
    if unchanged(known.etag, call.request.headers.get("if-none-match")):
        return Response(status_code=304, headers=headers)
    return Response(known.public_json, headers=headers, media_type="application/json")


async def issue_ticket(call: Call[TicketRequest, None]) -> TicketAnswer | Refusal:
    """A ticket for the bearer, or for the overlay whose link is shown."""
    services = call.services
    if call.body.overlay is not None:
        identity = await OverlayLinks(services.settings, services.database).identity(call.body.overlay)
    else:
        identity = await authenticate(call.request, services)
    if isinstance(identity, Refusal):
        return identity
    return TicketAnswer(await services.tickets.issue(identity), TICKET_TTL_S, identity.room)


async def get_gift(call: Call[None, None]) -> GiftStatus | Refusal:
    """The caller's own gift of this key."""
    key = str(call.request.path_params["key"])
    found = await call.services.gifts.status(call.user, key) if len(key) == 36 else None
    if found is None:
        return Refusal(NOT_FOUND, "You have sent no gift under this key: nothing was charged for it.")
    return msgspec.convert(msgspec.structs.asdict(found), GiftStatus)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint("GET", "/v1/catalog", "Every gift there is; with ETag", get_catalog, CatalogAnswer),
    Endpoint(
        "POST", "/v1/tickets", "A single-use ticket for a socket", issue_ticket, TicketAnswer, body=TicketRequest,
        refusals=(UNAUTHORIZED,),
    ),
    Endpoint(
        "GET", "/v1/gifts/{key}", "What became of your gift", get_gift, GiftStatus,
        roles=("viewer", "creator", "moderator", "admin"), refusals=(NOT_FOUND,),
    ),
)  # fmt: skip

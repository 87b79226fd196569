"""Rooms over HTTP: which there are, who supports them, what was given, and changing one's own."""

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import UNSET, Meta, UnsetType

from giftserver.auth.tokens import Role
from giftserver.durable.bans import CreatorBanned
from giftserver.durable.rooms import RoomRecord
from giftserver.errors import BANNED_FROM_LIVE, Refusal
from giftserver.gifts.body import push_of
from giftserver.gifts.messages import PRINTED, Gift, Identifier, Person, Supporter
from giftserver.services import Services
from giftserver.web.endpoint import Call, Endpoint
from rooms.codes import BAD_REQUEST, FORBIDDEN, ROOM_NOT_FOUND

Title = Annotated[str, Meta(max_length=120, pattern=PRINTED)]
StreamUrl = Annotated[str, Meta(max_length=2_048, pattern=PRINTED)]
OFFSET_LIMIT: Final = 2**53
OWNERS: Final[tuple[Role, ...]] = ("creator", "admin")


class RoomAnswer(msgspec.Struct, frozen=True):
    """One room; `viewers` as last counted."""

    id: str
    title: str
    creator: Person
    status: Literal["live", "offline"]
    viewers: int
    stream_url: str | None


class RoomsAnswer(msgspec.Struct, frozen=True):
    """All rooms, live ones first."""

    rooms: list[RoomAnswer]


class RoomRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a room is to be. Fields left out stay as they are; only an admin may name another creator."""

    title: Title
    creator: Identifier | UnsetType = UNSET
    creator_name: Annotated[str, Meta(max_length=64, pattern=PRINTED)] | UnsetType = UNSET
    stream_url: StreamUrl | UnsetType | None = UNSET


class LiveRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Open the room for gifts, or close it."""

    live: bool


class TopAnswer(msgspec.Struct, frozen=True):
    """The room's supporters, best first; coins."""

    items: list[Supporter]


class GiftsQuery(msgspec.Struct, frozen=True):
    """Gifts after an offset of this epoch; an offset of another epoch counts from the beginning."""

    epoch: str = ""
    after: Annotated[int, Meta(ge=0, lt=OFFSET_LIMIT)] = 0
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class GiftsAnswer(msgspec.Struct, frozen=True):
    """Gifts in the order they were shown. `next` is the `after` of the following page, null at the end."""

    epoch: str | None
    gifts: list[Gift]
    next: int | None


async def list_rooms(call: Call[None, None]) -> RoomsAnswer:
    """All rooms."""
    return RoomsAnswer(await _shown(call.services, await call.services.rooms.all()))


async def get_room(call: Call[None, None]) -> RoomAnswer | Refusal:
    """One room."""
    room = await call.services.rooms.get(call.room)
    return _no_room(call.room) if room is None else (await _shown(call.services, [room]))[0]


def is_web_address(url: str) -> bool:
    """Whether this is an http(s) URL with a host."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


async def put_room(call: Call[RoomRequest, None]) -> RoomAnswer | Refusal:
    """Make a room or change it."""
    identity, body, rooms = call.identity, call.body, call.services.rooms
    assert identity is not None
    if body.stream_url and not is_web_address(body.stream_url):
        return Refusal(BAD_REQUEST, "`stream_url` must start with https:// (or http://).")
    rooms.forget(call.room)
    known = await rooms.get(call.room)
    creator = known.creator if known is not None else call.user
    if body.creator is not UNSET:
        creator = body.creator
    if identity.role != "admin" and (creator != call.user or (known is not None and known.creator != call.user)):
        return Refusal(FORBIDDEN, "Only the room's own creator or an admin may change it.")
    try:
        record = await rooms.upsert(
            call.room,
            creator=creator,
            creator_name=body.creator_name or _name_of(creator, call, known),
            title=body.title,
            stream_url=body.stream_url if body.stream_url is not UNSET else (known.stream_url if known else None),
        )
    except CreatorBanned:
        words = "This room is live, and who it is to belong to is banned from live. Close the room first."
        return Refusal(BANNED_FROM_LIVE, words)
    return (await _shown(call.services, [record]))[0]


async def set_live(call: Call[LiveRequest, None]) -> RoomAnswer | Refusal:
    """Open or close a room."""
    room = await own_room(call)
    if isinstance(room, Refusal):
        return room
    try:
        record = await call.services.rooms.set_live(call.room, call.body.live)
    except CreatorBanned:
        return _banned(room.creator == call.user)
    return _no_room(call.room) if record is None else (await _shown(call.services, [record]))[0]


async def get_top(call: Call[None, None]) -> TopAnswer | Refusal:
    """The room's supporters."""
    if await call.services.rooms.get(call.room) is None:
        return _no_room(call.room)
    return TopAnswer(await call.services.presenter.supporters(call.room))


async def get_room_gifts(call: Call[None, GiftsQuery]) -> GiftsAnswer | Refusal:
    """A page of the room's kept history, gifts only."""
    history, query = call.services.history, call.query
    if await call.services.rooms.get(call.room) is None:
        return _no_room(call.room)
    epoch, records = await history.page(call.room, query.after, query.limit)
    if query.epoch and query.epoch != epoch and query.after:
        epoch, records = await history.page(call.room, 0, query.limit)
    shown = [push_of(record) for record in records]
    following = records[-1].offset if len(records) == query.limit else None
    return GiftsAnswer(epoch, [push for push in shown if isinstance(push, Gift)], following)


async def own_room(call: Call[Any, Any]) -> RoomRecord | Refusal:
    """The room in the path when the caller is its creator or an admin."""
    room = await call.services.rooms.get(call.room)
    if room is None:
        return _no_room(call.room)
    assert call.identity is not None
    if call.identity.role != "admin" and room.creator != call.user:
        return Refusal(FORBIDDEN, "Only the room's own creator or an admin may do this.")
    return room


def _name_of(creator: str, call: Call[RoomRequest, None], known: RoomRecord | None) -> str:
    if creator == call.user and call.identity is not None:
        return call.identity.name
    return known.creator_name if known is not None and known.creator == creator else creator


async def _shown(services: Services, records: list[RoomRecord]) -> list[RoomAnswer]:
    counts = await services.history.read_viewers([record.id for record in records])
    return [
        RoomAnswer(
            id=record.id, title=record.title, creator=Person(record.creator, record.creator_name),
            status="live" if record.live else "offline", viewers=viewers, stream_url=record.stream_url,
        )
        for record, viewers in zip(records, counts, strict=True)
    ]  # fmt: skip


def _no_room(room: str) -> Refusal:
    return Refusal(ROOM_NOT_FOUND, f"There is no room {room}.")


def _banned(themselves: bool) -> Refusal:
    if themselves:
        words = "You are banned from live, so your room stays closed. If you think that is wrong, write to support."
    else:
        words = "The creator of this room is banned from live. End the ban in its case at /ops first."
    return Refusal(BANNED_FROM_LIVE, words)


ENDPOINTS: Final[tuple[Endpoint[Any, Any], ...]] = (
    Endpoint("GET", "/v1/rooms", "All rooms, live ones first", list_rooms, RoomsAnswer),
    Endpoint("GET", "/v1/rooms/{room}", "One room", get_room, RoomAnswer, refusals=(ROOM_NOT_FOUND,)),
    Endpoint(
        "PUT", "/v1/rooms/{room}", "Make or change your room", put_room, RoomAnswer, body=RoomRequest,
        roles=OWNERS, refusals=(ROOM_NOT_FOUND, BANNED_FROM_LIVE),
    ),
    Endpoint(
        "POST", "/v1/rooms/{room}/live", "Open or close your room for gifts", set_live, RoomAnswer,
        body=LiveRequest, roles=OWNERS, refusals=(ROOM_NOT_FOUND, BANNED_FROM_LIVE),
    ),
    Endpoint(
        "GET", "/v1/rooms/{room}/top", "A room's top supporters", get_top, TopAnswer, refusals=(ROOM_NOT_FOUND,)
    ),
    Endpoint(
        "GET", "/v1/rooms/{room}/gifts", "Gifts of a room's kept history", get_room_gifts, GiftsAnswer,
        query=GiftsQuery, refusals=(ROOM_NOT_FOUND,),
    ),
)  # fmt: skip

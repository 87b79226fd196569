"""The AsyncAPI 3 document of the rooms' sockets, made from the message types themselves."""

from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from giftserver import __version__
from giftserver.errors import ERRORS
from giftserver.gifts import messages
from giftserver.gifts.messages import Receipt, You
from giftserver.settings import Settings
from rooms import protocol
from rooms.codec import CODECS
from rooms.codes import CLOSE_CODES
from rooms.protocol import Command, Push

REF: Final = "#/components/schemas/{name}"
CHANNEL: Final = "room"


def message_types(base: type[Push] | type[Command]) -> dict[str, type[msgspec.Struct]]:
    """Every message of one direction by its `type`: Push from the server, Command from the client."""
    found: dict[str, type[msgspec.Struct]] = {}
    for module in (protocol, messages):
        for kind in _structs_of(module):
            if issubclass(kind, base) and kind is not base:
                found[str(kind.__struct_config__.tag)] = kind
    return found


def _structs_of(module: ModuleType) -> list[type[msgspec.Struct]]:
    kinds = [value for value in vars(module).values() if isinstance(value, type)]
    return [kind for kind in kinds if issubclass(kind, msgspec.Struct)]


def document(settings: Settings) -> dict[str, Any]:
    """The document of this server."""
    pushes, commands = message_types(Push), message_types(Command)
    named = {f"push_{tag}": kind for tag, kind in pushes.items()}
    named |= {f"command_{tag}": kind for tag, kind in commands.items()}
    schemas, components = msgspec.json.schema_components([*named.values(), Receipt, You], ref_template=REF)
    receipt, you = schemas[-2:]
    # These two fields belong to the application, so their Python type says nothing.
    components["Reply"]["properties"]["result"] = receipt
    components["Welcome"]["properties"]["you"] = {"anyOf": [you, {"type": "null"}]}
    address = urlsplit(settings.base_url)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "giftserver rooms", "version": __version__, "description": _DESCRIPTION},
        "defaultContentType": "application/json",
        "servers": {
            "here": {"host": address.netloc, "protocol": "wss" if address.scheme == "https" else "ws"},
        },
        "channels": {CHANNEL: _channel(named)},
        "operations": {
            "push": _operation("send", "The server shows what happens; a frame is an array of these.", "push_", named),
            "command": _operation("receive", "A client asks for something, one map a frame.", "command_", named),
        },
        "components": {
            "messages": {
                name: {"name": name.partition("_")[2], "summary": _summary(kind), "payload": schema}
                for (name, kind), schema in zip(named.items(), schemas, strict=False)
            },
            "schemas": components,
        },
        "x-errors": [
            {"code": code.name, "status": code.status, "temporary": code.temporary, "meaning": code.meaning}
            for code in ERRORS
        ],
        "x-close-codes": [
            {"code": code.code, "name": code.name, "reconnect": code.reconnect, "meaning": code.meaning}
            for code in CLOSE_CODES
        ],
    }


def _channel(named: dict[str, type[msgspec.Struct]]) -> dict[str, Any]:
    query = {
        "ticket": {"type": "string", "description": "From POST /v1/tickets; single use"},
        "epoch": {"type": "string", "description": "Resume: the epoch of the last welcome"},
        "offset": {"type": "integer", "minimum": 0, "description": "Resume: the last offset that was shown"},
    }
    return {
        "address": "/v1/rooms/{room}/ws",
        "parameters": {"room": {"description": "The room's id"}},
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in named},
        "bindings": {"ws": {"method": "GET", "query": {"type": "object", "properties": query}}},
        "x-subprotocols": [codec.subprotocol for codec in CODECS],
    }


def _operation(action: str, summary: str, prefix: str, named: dict[str, type[msgspec.Struct]]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{CHANNEL}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{CHANNEL}/messages/{name}"} for name in named if name.startswith(prefix)],
    }


def _summary(kind: type[msgspec.Struct]) -> str:
    return " ".join((kind.__doc__ or "").split())


_DESCRIPTION: Final = (
    "Every frame from the server is an array of messages, in order; an empty array is a heartbeat. "
    "Summing `quantity` over `gift` and the items of `gifts_folded` gives what the ledger holds; "
    "`combo_quantity` is cumulative: take its maximum, never its sum."
)

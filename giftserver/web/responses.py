"""Answers of the HTTP API: JSON bodies, and refusals as `{"error": {code, message, temporary, …}}`."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.responses import Response

from giftserver.errors import Refusal

"""Errors that only HTTP has, besides those of the wire protocol."""


class ErrorBody(msgspec.Struct, frozen=True):
    """One refusal. Some codes carry more fields, such as `balance_coins` or `retry_after_ms`."""

    code: str
    message: str
    temporary: bool


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Body of every refusal."""

    error: ErrorBody


def json_answer(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer that nobody stores, unless the headers say otherwise."""
    all_headers = {"cache-control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(value), status, all_headers, "application/json")


def refusal_answer(refusal: Refusal, headers: Mapping[str, str] | None = None) -> Response:
    """A refusal with its status, and the headers that HTTP has for it."""
    extra = dict(headers or {})
    if refusal.status == 401:
        extra["www-authenticate"] = "Bearer"
    wait_ms = refusal.details.get("retry_after_ms")
    if isinstance(wait_ms, int):
        extra["retry-after"] = str(-(-wait_ms // 1_000))
    return json_answer({"error": refusal.body()}, refusal.status, extra)


def unchanged(etag: str, if_none_match: str | None) -> bool:
    """Whether the client already has the version with this strong ETag (RFC 9110, weak comparison)."""
    if if_none_match is None:
        return False
    known = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    return etag in known or "*" in known

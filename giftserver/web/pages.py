"""The pages and their files: viewer, overlay, studio, wallet, guardian, ops and everything under /static."""

import asyncio
import base64
import hashlib
import re
from os import PathLike, stat_result
from pathlib import Path
from typing import Final

import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from giftserver.auth.origin import normal_origin
from giftserver.auth.tokens import IDENTIFIER
from giftserver.away import ENGINE_ERRORS, is_away
from giftserver.services import Services
from giftserver.settings import Settings
from giftserver.web.error_page import error_page, nothing_here
from giftserver.web.responses import unchanged

log = structlog.get_logger()

VENDOR_AGE_S: Final = 30 * 86_400
ART_AGE_S: Final = 3_600
_INLINE: Final = re.compile(rb"<(script|style)(?![^>]*\ssrc=)[^>]*>(.*?)</\1>", re.DOTALL | re.IGNORECASE)
# Pictures are drawn with styles of their own; opened as a document, an SVG may run nothing.
_SVG_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


class PageFile:
    """One HTML file, read again when it changes. `framed_by` are sources that may show it in a frame."""

    def __init__(self, path: Path, framed_by: str = "'none'") -> None:
        self._path, self._framed_by = path, framed_by
        self._seen: tuple[int, int] | None = None
        self._body = b""
        self._headers: dict[str, str] = {}

    async def answer(self, request: Request) -> Response:
        """The page, or 304 for who has it."""
        try:
            await asyncio.to_thread(self._read)
        except OSError:
            return nothing_here()
        if unchanged(self._headers["etag"], request.headers.get("if-none-match")):
            return Response(status_code=304, headers=self._headers)
        return Response(self._body, headers=self._headers, media_type="text/html")

    def _read(self) -> None:
        status = self._path.stat()
        seen = (status.st_mtime_ns, status.st_size)
        if seen == self._seen:
            return
        body = self._path.read_bytes()
        self._headers = {
            "etag": f'"{hashlib.sha256(body).hexdigest()[:32]}"',
            "cache-control": "no-cache",
            "content-security-policy": content_policy(body, self._framed_by),
        }
        self._body, self._seen = body, seen


def content_policy(page: bytes, framed_by: str) -> str:
    """What a page may load: only from here, plus the inline scripts and styles that are in the file, by hash.

    Streams (media) may come from anywhere over HTTP; sockets from anywhere, for servers on other hosts.
    """
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(text).digest()).decode()
        hashes[kind.decode().lower()].append(f"'sha256-{digest}'")
    return "; ".join(
        (
            "default-src 'self'",
            " ".join(("script-src 'self'", *hashes["script"])),
            " ".join(("style-src 'self'", *hashes["style"])),
            "connect-src 'self' ws: wss:",
            "img-src 'self' data: blob:",
            "media-src 'self' https: http: blob:",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            f"frame-ancestors {framed_by}",
        )
    )


class Files(StaticFiles):
    """Files under /static, all with ETag: vendored ones are kept long, art an hour, our modules are asked for anew."""

    def file_response(
        self, full_path: "str | PathLike[str]", stat_result: stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """The file, or 304, with how long it may be kept."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path.startswith("/vendor/"):
            response.headers["cache-control"] = f"public, max-age={VENDOR_AGE_S}"
        elif path.startswith("/gifts/"):
            response.headers["cache-control"] = f"public, max-age={ART_AGE_S}"
        else:
            response.headers["cache-control"] = "no-cache"
        if str(full_path).endswith(".svg"):
            response.headers["content-security-policy"] = _SVG_POLICY
        return response

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file, or the page that says there is none."""
        try:
            return await super().get_response(path, scope)
        except HTTPException as problem:
            if problem.status_code == 405:
                return Response(status_code=405, headers={"allow": "GET, HEAD"})
            return nothing_here()


def routes(settings: Settings) -> list[BaseRoute]:
    """Routes of the pages."""
    folder = settings.static_dir
    embedders = [origin for text in settings.allowed_origins if (origin := normal_origin(text))]
    names = ("index", "studio", "wallet", "guardian", "ops")
    index, studio, wallet, guardian, ops = (PageFile(folder / f"{name}.html") for name in names)
    overlay = PageFile(folder / "overlay.html", framed_by="'self'")
    viewer = PageFile(folder / "viewer.html", framed_by=" ".join(("'self'", *embedders)))

    async def show_index(request: Request) -> Response:
        """In the demo the first live room, else the list of rooms."""
        services: Services = request.app.state.services
        if services.settings.demo:
            try:
                live = next((room for room in await services.rooms.all() if room.live), None)
            except ENGINE_ERRORS as problem:
                if not is_away(problem):
                    raise
                log.warning("rooms_unknown", error=type(problem).__name__)
                return error_page(503, "One moment", "The rooms cannot be looked up right now. Reload in a moment.")
            if live is not None:
                return RedirectResponse(f"/rooms/{live.id}", 302, {"cache-control": "no-store"})
        return await index.answer(request)

    async def show_viewer(request: Request) -> Response:
        """The room's page, also while it cannot be looked up: the page itself tries again."""
        services: Services = request.app.state.services
        room_id = request.path_params["room"]
        try:
            found = IDENTIFIER.fullmatch(room_id) and await services.rooms.get(room_id) is not None
        except ENGINE_ERRORS as problem:
            if not is_away(problem):
                raise
            found = True
        if not found:
            return error_page(404, "There is no such room", "Nobody streams under this name. It may have been renamed.")
        return await viewer.answer(request)

    return [
        Route("/", show_index),
        Route("/rooms/{room}", show_viewer),
        Route("/overlay/{token}", overlay.answer),
        Route("/studio", studio.answer),
        Route("/wallet", wallet.answer),
        Route("/guardian", guardian.answer),
        Route("/ops", ops.answer),
        Mount("/static", Files(directory=folder, check_dir=False), name="static"),
    ]

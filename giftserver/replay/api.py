"""The server's HTTP API as a client uses it, with the standard library only."""

import asyncio
import http.client
import json
from typing import Any, Final
from urllib.parse import quote, urlsplit

ANSWER_S: Final = 10.0


class Unreachable(Exception):
    """No answer: the server is away, or something else listens there."""


class Refused(Exception):
    """The server said no. `code` is the protocol's; the text is for people."""

    def __init__(self, status: int, error: dict[str, Any]) -> None:
        self.status = status
        self.code = str(error.get("code", status))
        self.temporary = bool(error.get("temporary", status >= 500))
        super().__init__(str(error.get("message", f"HTTP status {status}")))


class Api:
    """One server. Requests run in threads, so the caller's event loop goes on."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url.rstrip("/"))
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url} is not an http:// or https:// address")
        self.url = url.rstrip("/")
        self._secure, self._host, self._port, self._prefix = (
            parts.scheme == "https", parts.hostname, parts.port, parts.path,
        )  # fmt: skip

    def socket_url(self, room: str) -> str:
        """Address of a room's socket."""
        return f"ws{self.url.removeprefix('http')}/v1/rooms/{quote(room, safe='')}/ws"

    async def get(self, path: str, token: str | None = None) -> dict[str, Any]:
        """The answer to GET. Raises Refused and Unreachable."""
        return await asyncio.to_thread(self._ask, "GET", path, None, token)

    async def post(self, path: str, body: dict[str, Any], token: str | None = None) -> dict[str, Any]:
        """The answer to POST. Raises Refused and Unreachable."""
        return await asyncio.to_thread(self._ask, "POST", path, body, token)

    async def get_patiently(self, path: str, token: str | None, until_s: float) -> dict[str, Any]:
        """GET, again while the server is away or asks for patience, until that time of the event loop."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                return await self.get(path, token)
            except (Unreachable, Refused) as problem:
                if (isinstance(problem, Refused) and not problem.temporary) or loop.time() >= until_s:
                    raise
            await asyncio.sleep(0.2)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None, token: str | None) -> dict[str, Any]:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=ANSWER_S)
        headers = {"Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, self._prefix + path, json.dumps(body) if body is not None else None, headers)
            response = connection.getresponse()
            status, text = response.status, response.read()
        except (OSError, http.client.HTTPException) as problem:
            reason = getattr(problem, "strerror", None) or str(problem) or type(problem).__name__
            raise Unreachable(f"{self.url} does not answer ({reason})") from problem
        finally:
            connection.close()
        return read_answer(self.url, status, text)


def read_answer(url: str, status: int, text: bytes) -> dict[str, Any]:
    """The JSON object of a response. Raises Refused for an error status, Unreachable for anything unreadable."""
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if status >= 400:
        error = answer.get("error") if isinstance(answer, dict) else None
        raise Refused(status, error if isinstance(error, dict) else {})
    if not isinstance(answer, dict):
        raise Unreachable(f"{url} does not answer like a giftserver")
    return answer

"""The platform's public keys (JWKS), from a URL or a file, kept fresh without blocking the event loop."""

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Protocol

import jwt
import structlog
from jwt import PyJWK, PyJWKClient, PyJWKSet

from giftserver.errors import Refusal
from rooms.codes import UNAUTHORIZED, UNAVAILABLE

log = structlog.get_logger()

KEY_TYPES: Final = {"RS256": "RSA", "ES256": "EC"}
LIFESPAN_S: Final = 300.0
"""Keys are fetched again after this; while that fails, the known ones hold."""

COOLDOWN_S: Final = 10.0
"""Unknown key ids cause at most one fetch in this time, whoever sends them."""

FETCH_TIMEOUT_S: Final = 5.0


class KeySource(Protocol):
    """Where public keys come from."""

    async def key(self, kid: str | None, algorithm: str) -> PyJWK | Refusal:
        """The key with this id, fit for this algorithm, or why there is none."""
        ...


def choose(keys: Sequence[PyJWK], kid: str | None, algorithm: str) -> PyJWK | None:
    """The signing key of this id and kind; without an id, the only one there is of that kind."""
    fitting = [
        key
        for key in keys
        if key.key_type == KEY_TYPES[algorithm]
        and key.algorithm_name == algorithm
        and key.public_key_use in ("sig", None)
    ]
    if kid is not None:
        return next((key for key in fitting if key.key_id == kid), None)
    return fitting[0] if len(fitting) == 1 else None


class JwksUrl:
    """Keys of a JWKS URL. Raises ValueError for a URL that is not http or https."""

    def __init__(self, url: str, *, lifespan_s: float = LIFESPAN_S, cooldown_s: float = COOLDOWN_S) -> None:
        try:
            self._client = PyJWKClient(url, cache_jwk_set=False, timeout=FETCH_TIMEOUT_S)
        except jwt.PyJWKClientError as problem:
            raise ValueError(f"GIFTSERVER_JWT_JWKS_URL: {problem}") from problem
        self._lifespan_s, self._cooldown_s = lifespan_s, cooldown_s
        self._keys: list[PyJWK] = []
        self._fetched_s: float | None = None
        self._tried_s: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def key(self, kid: str | None, algorithm: str) -> PyJWK | Refusal:
        """The key, fetching the set first when it is old or does not have it."""
        if self._fetched_s is None or time.monotonic() - self._fetched_s > self._lifespan_s:
            await self._refresh()
        found = choose(self._keys, kid, algorithm)
        if found is None:
            await self._refresh()
            found = choose(self._keys, kid, algorithm)
        if found is not None:
            return found
        if self._fetched_s is None or (self._tried_s is not None and self._tried_s > self._fetched_s):
            return Refusal(UNAVAILABLE, "the platform's keys cannot be fetched now (GIFTSERVER_JWT_JWKS_URL)")
        return _unknown(algorithm)

    async def _refresh(self) -> None:
        """Fetch the set once for everybody who waits; not again within the cool-down."""
        if self._fetching is None:
            if self._tried_s is not None and time.monotonic() - self._tried_s < self._cooldown_s:
                return
            self._fetching = asyncio.create_task(self._fetch(), name="fetch jwks")
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        self._tried_s = time.monotonic()
        try:
            fetched = await asyncio.to_thread(self._client.get_jwk_set)
        except (jwt.PyJWTError, OSError, ValueError) as problem:
            log.warning("jwks_not_fetched", error=type(problem).__name__)
        else:
            self._keys = list(fetched.keys)
            self._fetched_s = self._tried_s = time.monotonic()
        finally:
            self._fetching = None


class JwksFile:
    """Keys of a JWKS file, read again when the file changes; a broken one leaves the old keys in force."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._keys: list[PyJWK] = []
        self._seen: tuple[int, int, int] | None = None

    async def key(self, kid: str | None, algorithm: str) -> PyJWK | Refusal:
        """The key, reading the file first when it has changed."""
        await asyncio.to_thread(self._read)
        found = choose(self._keys, kid, algorithm)
        if found is not None:
            return found
        if not self._keys:
            return Refusal(UNAVAILABLE, "the platform's keys cannot be read: check GIFTSERVER_JWT_JWKS_FILE")
        return _unknown(algorithm)

    def _read(self) -> None:
        try:
            status = self._path.stat()
            seen = (status.st_ino, status.st_mtime_ns, status.st_size)
            if seen == self._seen:
                return
            self._keys = list(PyJWKSet.from_json(self._path.read_text()).keys)
            self._seen = seen
        except (jwt.PyJWTError, OSError, ValueError, AttributeError) as problem:
            log.warning("jwks_not_read", error=type(problem).__name__)


def _unknown(algorithm: str) -> Refusal:
    return Refusal(UNAUTHORIZED, f"no {algorithm} key of the JWKS has the token's `kid`: publish it")

"""JSON Web Tokens: the platform says who somebody is, this file decides whether to believe it.

The algorithm is never the token's choice: HS256 is accepted only with the shared secret, RS256 and ES256 only
with a key of the JWKS that is of that very kind. A public key can therefore never serve as an HMAC secret.
"""

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, get_args

import jwt
from jwt.exceptions import InvalidSubjectError

from giftserver.auth.ages import birthdate_of, is_minor
from giftserver.auth.jwks import JwksFile, JwksUrl, KeySource
from giftserver.errors import Refusal
from giftserver.printed import is_printed
from giftserver.settings import Settings
from rooms.codes import UNAUTHORIZED

Role = Literal["viewer", "creator", "moderator", "overlay", "admin"]

ROLES: Final[tuple[Role, ...]] = get_args(Role)
SHARED_ALGORITHM: Final = "HS256"
KEY_ALGORITHMS: Final = frozenset({"RS256", "ES256"})
LIFE_MAX_S: Final = 900
"""A token may not live longer than this from now, so that a revoked person is out after 15 minutes."""

TOKEN_BYTES_MAX: Final = 8_192
NAME_CHARACTERS_MAX: Final = 64
COUNTRY: Final = re.compile(r"[A-Z]{2}")
IDENTIFIER: Final = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
_CLAIMS: Final = ["exp", "iat", "iss", "aud", "sub"]
# Besides its own errors the library lets these out for hostile numbers and nesting.
_UNREADABLE: Final = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody we believe. `user` is None behind an overlay link; `room` binds to one room; Unix seconds.

    `country` (ISO 3166) decides prices; None where the platform does not say it. `issued_s`: when the token was.
    `minor`: below the age of their country, as far as the platform tells a birthdate.
    """

    user: str | None
    name: str
    role: Role
    room: str | None
    expires_s: float
    country: str | None = None
    issued_s: float = 0.0
    minor: bool = False


ANONYMOUS: Final = Identity(user=None, name="", role="viewer", room=None, expires_s=math.inf)
"""Someone who only watches."""


class TokenVerifier:
    """Verifies tokens against the keys of the settings. Tokens are never logged nor part of a message."""

    def __init__(self, settings: Settings, ended: Callable[[Identity], bool] = lambda identity: False) -> None:
        self._ended = ended
        self._issuer, self._audience = settings.jwt_issuer, settings.jwt_audience
        self._leeway_s, self._country = settings.jwt_leeway_s, settings.default_country
        self._life_max_s = None if settings.demo else LIFE_MAX_S
        self._secret = settings.jwt_secret.get_secret_value() if settings.jwt_secret else None
        self._keys = _key_source(settings)
        self._jwt = jwt.PyJWT(options={"enforce_minimum_key_length": True})

    async def verify(self, token: str) -> Identity | Refusal:
        """The identity a token proves, or a refusal that says how to mend it.

        The refusal is `unavailable` when the platform's keys cannot be fetched, else `unauthorized`.
        """
        if len(token) > TOKEN_BYTES_MAX:
            return _refused(f"the token is longer than {TOKEN_BYTES_MAX} bytes: put fewer claims into it")
        try:
            header = jwt.get_unverified_header(token)
        except _UNREADABLE:
            return _refused("this is not a JWT: send `Authorization: Bearer <token>` with three dotted parts")
        key = await self._key(header)
        if isinstance(key, Refusal):
            return key
        try:
            claims = self._jwt.decode(
                token, key, algorithms=[header["alg"]], issuer=self._issuer, audience=self._audience,
                leeway=self._leeway_s, options={"require": _CLAIMS},
            )  # fmt: skip
        except _UNREADABLE as problem:
            return _refused(self._reason(problem))
        identity = self._identity(claims)
        if isinstance(identity, Identity) and self._ended(identity):
            return _refused("this session was ended: sign in again")
        return identity

    async def _key(self, header: dict[str, Any]) -> Any:
        algorithm, kid = str(header.get("alg")), header.get("kid")
        if self._secret is None and self._keys is None:
            return _refused("no tokens are taken yet: set GIFTSERVER_JWT_SECRET or GIFTSERVER_JWT_JWKS_URL")
        if algorithm == SHARED_ALGORITHM and self._secret is not None:
            return self._secret
        if algorithm in KEY_ALGORITHMS and self._keys is not None:
            return await self._keys.key(kid if isinstance(kid, str) else None, algorithm)
        accepted = [SHARED_ALGORITHM] if self._secret is not None else []
        accepted += sorted(KEY_ALGORITHMS) if self._keys is not None else []
        return _refused(f"wrong signing algorithm: this server is set up for {' and '.join(accepted)}")

    def _reason(self, problem: Exception) -> str:
        match problem:
            case jwt.ExpiredSignatureError():
                return "token expired: fetch a new one"
            case jwt.ImmatureSignatureError():
                return "token not yet valid (`iat` or `nbf`): set the clock or raise GIFTSERVER_JWT_LEEWAY_S"
            case jwt.InvalidAudienceError():
                return f"wrong audience: expected `aud` {self._audience!r} (GIFTSERVER_JWT_AUDIENCE)"
            case jwt.InvalidIssuerError():
                return f"wrong issuer: expected `iss` {self._issuer!r} (GIFTSERVER_JWT_ISSUER)"
            case jwt.MissingRequiredClaimError():
                return f"claim `{problem.claim}` is missing: tokens carry {', '.join(_CLAIMS)}"
            case InvalidSubjectError():
                return "claim `sub` is not text: put the person's id there"
            case jwt.InvalidKeyError():
                return "the signing key is too short: use RSA of 2048 bits or more, or 32 bytes for HS256"
            case jwt.InvalidSignatureError():
                return "wrong signature: sign with the secret or key this server is set up with"
        return "the token cannot be read: check how it is made"

    def _identity(self, claims: dict[str, Any]) -> Identity | Refusal:
        user, room = claims["sub"], claims.get("room")
        name, role = claims.get("name", user), claims.get("role", "viewer")
        country, birthdate = claims.get("country"), claims.get("birthdate")
        if problem := claims_problem(user, name, role, room, country):
            return _refused(problem)
        born = None if birthdate is None else birthdate_of(str(birthdate))
        if birthdate is not None and born is None:
            return _refused("claim `birthdate` is not a date: YYYY-MM-DD")
        expires_s = float(claims["exp"])
        if self._life_max_s is not None and role != "overlay":
            left_s = expires_s - time.time()
            if left_s > self._life_max_s + self._leeway_s:
                return _refused(f"token lives too long: `exp` may be {self._life_max_s} s ahead; renew it")
        minor = born is not None and is_minor(born, country or self._country, datetime.now(UTC).date())
        return Identity(user, name, role, room, expires_s, country, float(claims["iat"]), minor)


def claims_problem(user: str, name: Any, role: Any, room: Any, country: Any = None) -> str | None:
    """What is wrong with the person that a token tells of, and what is right; None when nothing is."""
    if not IDENTIFIER.fullmatch(user):
        return "claim `sub` is not an id: 1 to 64 of A-Z a-z 0-9 _ . : -"
    if not isinstance(name, str) or len(name) > NAME_CHARACTERS_MAX or not (name.isprintable() and is_printed(name)):
        return f"claim `name` is not a name: 1 to {NAME_CHARACTERS_MAX} printable characters, with something to read"
    if role not in ROLES:
        return f"claim `role` is unknown: one of {', '.join(ROLES)}"
    if room is not None and not (isinstance(room, str) and IDENTIFIER.fullmatch(room)):
        return "claim `room` is not a room's id: 1 to 64 of A-Z a-z 0-9 _ . : -"
    if country is not None and not (isinstance(country, str) and COUNTRY.fullmatch(country)):
        return "claim `country` is not a country: two capital letters of ISO 3166"
    if role == "overlay" and room is None:
        return "claim `room` is missing: an overlay belongs to one room"
    return None


def mint(
    settings: Settings, user: str, name: str, role: str, room: str | None, ttl_s: int, country: str | None = None,
    birthdate: date | None = None,
) -> str:  # fmt: skip
    """A token signed with the shared secret, for the demo and the command line.

    Outside the demo one that lives longer than LIFE_MAX_S is refused. Raises ValueError without a secret.
    """
    if settings.jwt_secret is None:
        raise ValueError("there is no secret to sign with: set GIFTSERVER_JWT_SECRET")
    now_s = int(time.time())
    claims: dict[str, Any] = {
        "iss": settings.jwt_issuer, "aud": settings.jwt_audience, "iat": now_s, "exp": now_s + ttl_s,
        "sub": user, "name": name, "role": role,
    }  # fmt: skip
    if room is not None:
        claims["room"] = room
    if country is not None:
        claims["country"] = country
    if birthdate is not None:
        claims["birthdate"] = birthdate.isoformat()
    return jwt.encode(claims, settings.jwt_secret.get_secret_value(), algorithm=SHARED_ALGORITHM)


def _key_source(settings: Settings) -> KeySource | None:
    if settings.jwt_jwks_url is not None:
        return JwksUrl(settings.jwt_jwks_url)
    return JwksFile(settings.jwt_jwks_file) if settings.jwt_jwks_file is not None else None


def _refused(message: str) -> Refusal:
    return Refusal(UNAUTHORIZED, message)

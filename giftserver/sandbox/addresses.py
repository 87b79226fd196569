"""Web addresses that merchants name: which are taken, and what is added to them."""

import re
from typing import Final
from urllib.parse import urlsplit

URL_CHARACTERS_MAX: Final = 2_000

_PRINTABLE: Final = re.compile(r"[\x21-\x7e]+")
_HOST: Final = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")


def problem_of(url: str) -> str | None:
    """What is wrong with an address, to be read after its name; None when it can be used.

    Only plain http and https: no scripts as links, no credentials, and nothing that could end a header early.
    """
    if len(url) > URL_CHARACTERS_MAX:
        return f"is longer than {URL_CHARACTERS_MAX} characters"
    if not _PRINTABLE.fullmatch(url):
        return "has characters that must be percent-encoded"
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "cannot be read"
    if parts.scheme not in ("http", "https"):
        return "must begin with http:// or https://"
    if "@" in parts.netloc or not _HOST.fullmatch(parts.hostname or ""):
        return "needs a plain host name"
    return None


def origin_of(url: str) -> str:
    """Scheme, host and port of an address without problems."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def with_session(return_url: str, session: str) -> str:
    """The merchant's return address with `sandbox_session` appended to its query."""
    parts = urlsplit(return_url)
    query = f"{parts.query}&" if parts.query else ""
    return parts._replace(query=f"{query}sandbox_session={session}").geturl()

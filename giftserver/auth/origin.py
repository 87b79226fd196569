"""Which web pages may use the server: the Origin a browser sends is checked before anything is done."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from giftserver.errors import Refusal
from giftserver.settings import Settings
from rooms.codes import FORBIDDEN

_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


def normal_origin(text: str) -> str | None:
    """`scheme://host[:port]` in lower case without a default port; None for no origin, such as `null`."""
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError:
        return None
    scheme, host = parts.scheme.lower(), parts.hostname
    if not host or scheme not in _DEFAULT_PORTS:
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{scheme}://{shown}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{shown}:{port}"


def own_url(settings: Settings, host: str | None) -> str:
    """URL of the server for whoever reached it under this Host header, without a trailing slash.

    Where GIFTSERVER_PUBLIC_URL is unset, localhost and addresses in numbers are believed. Other names are not: a
    foreign page could give its own name this machine's address.
    """
    reached = normal_origin(f"http://{host}") if host and settings.public_url is None else None
    return reached if reached and _is_number_or_localhost(reached) else settings.base_url


def allowed_origins(settings: Settings, host: str | None) -> frozenset[str]:
    """Every origin that may use the server: its own, and those of GIFTSERVER_ALLOWED_ORIGINS."""
    found = (normal_origin(text) for text in (own_url(settings, host), settings.base_url, *settings.allowed_origins))
    return frozenset(origin for origin in found if origin is not None)


def origin_refusal(origin: str | None, settings: Settings, host: str | None) -> Refusal | None:
    """Why a request with these Origin and Host headers is refused, naming the setting that helps; None if it is not."""
    if origin is None:
        return None
    normal = normal_origin(origin)
    if normal is None:
        return Refusal(FORBIDDEN, "this page has no origin (a file, a sandboxed frame): serve it over https")
    if normal in allowed_origins(settings, host):
        return None
    own = normal_origin(settings.base_url) or settings.base_url
    if _same_machine(normal, own):
        return Refusal(
            FORBIDDEN,
            f"the page was opened at {normal}, the server's address is {own}, and browsers tell these apart: "
            f"open {own}, or add {normal} to GIFTSERVER_ALLOWED_ORIGINS",
        )
    return Refusal(
        FORBIDDEN,
        f"pages of {normal} may not use this server: add {normal} to GIFTSERVER_ALLOWED_ORIGINS, "
        f"or set GIFTSERVER_PUBLIC_URL (now {own}) if that is this server's own address",
    )


def _same_machine(one: str, other: str) -> bool:
    a, b = urlsplit(one), urlsplit(other)
    return a.hostname in _LOOPBACK and b.hostname in _LOOPBACK and a.port == b.port


def _is_number_or_localhost(origin: str) -> bool:
    name = urlsplit(origin).hostname or ""
    try:
        ip_address(name)
    except ValueError:
        return name == "localhost"
    return True

"""The URL of a Redis: one server, or a cluster named by some of its servers."""

from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from redis.asyncio.connection import Connection, parse_url

from giftserver.packed import PACKED

CLUSTER_SCHEMES: Final = ("redis+cluster", "rediss+cluster")
SCHEMES: Final = ("redis", "rediss", "unix", *CLUSTER_SCHEMES)
FORM: Final = "redis+cluster://user:password@host1:port1,host2:port2,host3:port3 (rediss+cluster:// with TLS)"
PORT: Final = 6379

Server = tuple[str, int]
"""Host and port."""


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Servers that know the rest of their cluster, and what connecting to any of its servers needs."""

    seeds: tuple[Server, ...]
    options: dict[str, Any]


def is_cluster(url: str) -> bool:
    """Whether the URL names a cluster."""
    return url.partition("://")[0] in CLUSTER_SCHEMES


def check(url: str) -> str:
    """The URL. Raises ValueError, with a sentence that shows no password, when it cannot be one of a Redis."""
    scheme = url.partition("://")[0]
    if "://" not in url or scheme not in SCHEMES:
        raise ValueError(f"is not redis://, rediss://, unix:// or {FORM}")
    if is_cluster(url):
        parse(url)
    elif scheme != "unix" and "," in urlsplit(url).netloc.rpartition("@")[2]:
        raise ValueError(f"names more than one server: a cluster is written {FORM}")
    return url


def parse(url: str) -> ClusterAddress:
    """What a cluster's URL says; options of the query are those of redis-py. Raises ValueError like `check`."""
    parts = urlsplit(url)
    who, at, places = parts.netloc.rpartition("@")
    if parts.path not in ("", "/", "/0"):
        raise ValueError("names a database: a cluster has only database 0")
    seeds = tuple(_server(place) for place in places.split(","))
    query = f"?{parts.query}" if parts.query else ""
    try:
        options = dict(parse_url(f"{parts.scheme.removesuffix('+cluster')}://{who}{at}{seeds[0][0]}{query}"))
    except ValueError as problem:
        raise ValueError(f"has an option that cannot be read: {problem}") from problem
    for name in ("host", "port", "db"):
        options.pop(name, None)
    options["connection_class"] = PACKED[options.get("connection_class", Connection)]
    return ClusterAddress(seeds, options)


def _server(text: str) -> Server:
    if text.startswith("["):
        host, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = text.partition(":")
    if not host:
        raise ValueError(f"lacks a host: it is written {FORM}")
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65_536):
        raise ValueError(f"has the port {port!r}: it is written {FORM}")
    return unquote(host), int(port or PORT)

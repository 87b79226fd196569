"""The settings in force, as text that shows no secret."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from giftserver.settings import Settings

MASK = "***"


def lines(settings: Settings) -> Iterator[str]:
    """One paragraph a setting: variable, value, source (environment or default), description."""
    for name, about in type(settings).model_fields.items():
        source = "environment" if name in settings.model_fields_set else "default"
        yield f"GIFTSERVER_{name.upper()} = {shown(getattr(settings, name))}  [{source}]"
        yield f"    {about.description}"


def shown(value: Any) -> str:
    """The value as it may be shown: secrets and the passwords of URLs are masked."""
    if value is None:
        return "(unset)"
    if isinstance(value, SecretStr):
        return MASK
    if isinstance(value, tuple):
        return ",".join(str(item) for item in value) or "(none)"
    if isinstance(value, bool):
        return "true" if value else "false"
    return without_password(str(value))


def without_password(text: str) -> str:
    """The text; a URL's password is masked, and its query, where passwords are put too, is left out."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
    except ValueError:
        return MASK
    user, at, place = parts.netloc.rpartition("@")
    who = user.partition(":")[0]
    masked = f"{who}:{MASK}@{place}" if ":" in user else f"{who}{at}{place}"
    return urlunsplit((parts.scheme, masked, parts.path, MASK if parts.query else "", ""))

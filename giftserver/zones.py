"""Names of time zones, as the IANA database of this machine has them."""

import functools
import zoneinfo
from datetime import UTC, tzinfo


def zone_named(name: str) -> tzinfo | None:
    """The time zone of a name, such as `Europe/Berlin`; None when this machine knows none of that name."""
    if name == "UTC":
        return UTC
    return zoneinfo.ZoneInfo(name) if name in _names() else None


def is_place(name: str) -> bool:
    """Whether a person may live there: fixed offsets and the machine's own files are no places."""
    return "/" in name and not name.startswith(("Etc/", "posix")) and name in _names()


@functools.cache
def _names() -> set[str]:
    """The names come from a walk through the machine's files: the machine's own zone is there, and one for unset."""
    return zoneinfo.available_timezones() - {"localtime", "Factory"}

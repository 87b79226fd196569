"""Errors of the engines' drivers: which mean that an engine is away, and which that it was asked something wrong."""

from pathlib import Path
from traceback import walk_tb
from typing import Final

import asyncpg
from redis.exceptions import RedisError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

DATABASE_ERRORS: Final = (DBAPIError, PoolTimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
"""What using PostgreSQL raises; also TimeoutError, which is an OSError."""

ENGINE_ERRORS: Final = (RedisError, *DATABASE_ERRORS)

AWAY: Final = ("08", "25006", "25P03", "28", "3D", "53", "57P", "57014")
"""SQLSTATEs, or how they begin, of a PostgreSQL that cannot work for us now: no connection, a standby, a transaction
that waited too long, nobody let in, no such database yet, out of memory, disk or connections, stopping or starting, a
statement that took too long."""

HERE: Final = Path(__file__).parent


def is_away(problem: BaseException) -> bool:
    """Whether an error means that an engine is away, slow or restarting: the same may work in a moment.

    Whatever else PostgreSQL refuses, such as a constraint or a query, is a mistake of the server's.
    """
    if isinstance(problem, DBAPIError) and problem.connection_invalidated:
        return True
    raised = _raised(problem)
    if isinstance(raised, asyncpg.InvalidCachedStatementError):  # after a migration, once for each connection
        return True
    if isinstance(raised, asyncpg.PostgresError):
        return str(raised.sqlstate).startswith(AWAY)
    if isinstance(raised, asyncpg.InterfaceError):
        return "connection is closed" in str(raised)
    return isinstance(raised, RedisError | PoolTimeoutError | OSError)


def told(problem: BaseException) -> dict[str, str]:
    """What a log may say of an error: its class and place, SQLSTATE and constraint, never a value."""
    raised = _raised(problem)
    found = {"error": type(raised).__name__}
    for name in ("sqlstate", "constraint_name"):
        if isinstance(value := getattr(raised, name, None), str):
            found[name] = value
    places = [(Path(frame.f_code.co_filename), line) for frame, line in walk_tb(problem.__traceback__)]
    ours = [f"{path.relative_to(HERE.parent)}:{line}" for path, line in places if HERE in path.parents]
    return found | ({"where": ours[-1]} if ours else {})


def constraint_of(problem: BaseException) -> str:
    """Name of the constraint or trigger that PostgreSQL refused something for; empty for other errors."""
    return str(getattr(_raised(problem), "constraint_name", None) or "")


def _raised(problem: BaseException) -> BaseException:
    """The driver's own error."""
    if not isinstance(problem, DBAPIError) or problem.orig is None:
        return problem
    return problem.orig.__cause__ or problem.orig

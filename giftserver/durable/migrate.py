"""Bringing a database to the schema this version needs, safely from several processes at once."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.store import open_database
from giftserver.durable.tables import SCHEMA_REVISION

if TYPE_CHECKING:  # loading it takes 0.1 s, and most processes only ask which revision there is
    from alembic.config import Config

ADVISORY_LOCK: Final = 0x67696674
"""Key of the lock that lets one process migrate while the others wait ("gift" in ASCII)."""


def alembic_config(connection: Connection | None = None) -> "Config":
    """Alembic's configuration without an ini file; `connection` is what the migrations run on."""
    from alembic.config import Config

    config = Config()
    folder = Path(__file__).parent / "migrations"
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _upgrade_on(connection: Connection, revision: str) -> None:
    from alembic import command

    command.upgrade(alembic_config(connection), revision)


async def upgrade(database_url: str, revision: str = "head") -> None:
    """Run the missing migrations, up to `revision`, in one transaction; returns at once when there are none.

    The advisory lock is held to the end of the transaction, so processes that start together wait for the first.
    """
    engine = open_database(database_url, pool_size=1, statement_timeout_ms=0)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            await connection.run_sync(_upgrade_on, revision)
    finally:
        await engine.dispose()


async def schema_revision(engine: AsyncEngine) -> str | None:
    """The migration the database is at, None when it has none. Raises SQLAlchemy's errors when it is away."""
    async with engine.connect() as connection:
        try:
            revision: str | None = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        except ProgrammingError:
            return None
    return revision


async def schema_is_current(engine: AsyncEngine) -> bool:
    """Whether this version may serve the database."""
    return await schema_revision(engine) == SCHEMA_REVISION


async def current(database_url: str) -> str | None:
    """The migration the database at the URL is at, None when it has none."""
    engine = open_database(database_url, pool_size=1)
    try:
        return await schema_revision(engine)
    finally:
        await engine.dispose()

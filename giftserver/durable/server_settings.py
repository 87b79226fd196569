"""PostgreSQL's own settings, as far as money depends on them."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.migrate import schema_revision
from giftserver.durable.tables import SCHEMA_REVISION

VERSION_MIN: Final = 140_000
WANTED: Final = {
    "fsync": "a crash of the machine would corrupt the ledger",
    "full_page_writes": "a crash of the machine would corrupt the ledger",
    "synchronous_commit": "a crash would lose gifts that Redis has trimmed",
}


async def database_problems(database: AsyncEngine) -> list[str]:
    """What is wrong, each with what to set. Raises the driver's errors when it is away."""
    names = ", ".join(f"current_setting('{name}') AS {name}" for name in WANTED)
    query = text(f"SELECT current_setting('server_version_num')::int AS version, {names}")
    async with database.connect() as connection:
        row = (await connection.execute(query)).one()
    problems = []
    if row.version < VERSION_MIN:
        problems.append(f"version {row.version // 10_000} is too old: giftserver needs 14 or newer")
    for name, why in WANTED.items():
        if getattr(row, name) == "off":
            problems.append(f"{name} is off: {why}; set `{name} = on`")
    revision = await schema_revision(database)
    if revision != SCHEMA_REVISION:
        problems.append(f"its schema is {revision}, not {SCHEMA_REVISION}: run `giftserver migrate`")
    return problems

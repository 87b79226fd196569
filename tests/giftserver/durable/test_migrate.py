"""Migrations: once, whoever starts first, and told to /readyz."""

import asyncio

from alembic.script import ScriptDirectory

from giftserver.durable import migrate
from giftserver.durable.store import open_database
from giftserver.durable.tables import SCHEMA_REVISION


async def test_several_processes_migrate_at_once(empty_url):
    """Of processes that start together one migrates, the others wait and find it done."""
    assert await migrate.current(empty_url) is None
    await asyncio.gather(*(migrate.upgrade(empty_url) for _ in range(4)))
    assert await migrate.current(empty_url) == SCHEMA_REVISION
    await migrate.upgrade(empty_url)


async def test_an_empty_database_is_not_current(empty_url):
    """A process does not serve a database without the tables it needs."""
    engine = open_database(empty_url)
    assert not await migrate.schema_is_current(engine)
    await migrate.upgrade(empty_url)
    assert await migrate.schema_is_current(engine)
    await engine.dispose()


def test_the_revision_is_the_newest_migration():
    """SCHEMA_REVISION is the head of the migrations in the package."""
    assert ScriptDirectory.from_config(migrate.alembic_config()).get_heads() == [SCHEMA_REVISION]

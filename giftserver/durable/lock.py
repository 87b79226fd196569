"""One coordinator at a time: an advisory lock in PostgreSQL, held by a connection of its own."""

import contextlib
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

COORDINATOR: Final = 0x636F_6F72  # "coor": the lock's number; migrations have another


class CoordinatorLock:
    """Held from `take` until `release`, or until the connection is lost: then somebody else may have it."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._connection: AsyncConnection | None = None

    async def take(self) -> bool:
        """Whether this process has the lock now; taken without waiting. Raises the driver's errors."""
        if self._connection is not None:
            try:
                await self._connection.execute(text("SELECT 1"))
                await self._connection.commit()
                return True
            except BaseException:
                await self.release()
                raise
        connection = await self._engine.connect()
        try:
            held = bool(await connection.scalar(text("SELECT pg_try_advisory_lock(:number)"), {"number": COORDINATOR}))
            await connection.commit()
        except BaseException:
            await connection.invalidate()
            await connection.close()
            raise
        if held:
            self._connection = connection
        else:
            await connection.close()
        return held

    async def release(self) -> None:
        """Give the lock up, with its connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(Exception):  # the server may be gone, and the lock with it
                await connection.invalidate()
            with contextlib.suppress(Exception):
                await connection.close()

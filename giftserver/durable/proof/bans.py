"""The proof of bans: opening a room and banning its creator take turns, so it is true at every moment."""

from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.proof.invariant import SHOWN_MAX, Invariant

COUNT: Final = "SELECT count(*) FROM live_ban"

OPEN_ALL_THE_SAME: Final = """
    SELECT format('room %s is open, and its creator %s is banned from live', r.id, r.creator) FROM room AS r
    WHERE r.live AND EXISTS (SELECT FROM live_ban AS b WHERE b.user_id = r.creator AND b.lifted_at IS NULL)
"""

# A case says that its ban is in force as long as nobody lifted it.
BANNED_OTHERWISE: Final = """
    SELECT format('case %s: its ban is %s, the person''s is %s', coalesce(c.id, b.reference), c.ban_reference,
        b.reference)
    FROM (SELECT id, ban_reference, person FROM case_file WHERE ban_reference IS NOT NULL) AS c
    FULL JOIN (SELECT reference, user_id FROM live_ban WHERE lifted_at IS NULL) AS b
        ON b.reference = c.ban_reference AND b.user_id = c.person
    WHERE c.id IS NULL OR b.reference IS NULL
"""


async def banned_are_not_live(connection: AsyncConnection, invariant: Invariant) -> None:
    """Nobody who is banned from live has an open room, and bans of cases are those of people."""
    invariant.checked += int(await connection.scalar(text(COUNT)) or 0)
    for query in (OPEN_ALL_THE_SAME, BANNED_OTHERWISE):
        for (violation,) in await connection.execute(text(f"{query} LIMIT {SHOWN_MAX + 1}")):
            invariant.found(violation)

"""What people have sent in their present day, month and session, counted from the gifts themselves.

Whoever loads a wallet needs it at the shard's cursor, so it is read in the transaction that reads the wallet.
"""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.limits import standings, zones_of
from giftserver.ledger.limits import NONE, Spending, windows

KEY_EARLIER_S: Final = 700
"""A gift's key is at most ten minutes older than the gift; a minute and more for clocks that differ."""

# Keys begin with their time, so the index that makes them unique finds the gifts of a time; person by person, or many
# who load at once would have the whole ledger read.
SENT: Final = text("""
    SELECT w.user_id, sent.day, sent.month, sent.session
    FROM unnest(CAST(:users AS text[]), CAST(:days AS bigint[]), CAST(:months AS bigint[]),
        CAST(:sessions AS bigint[]), CAST(:oldest AS text[])) AS w (user_id, day_s, month_s, session_s, oldest)
    CROSS JOIN LATERAL (
        SELECT coalesce(sum(t.coins) FILTER (WHERE t.event_at >= to_timestamp(w.day_s)), 0)::bigint AS day,
            coalesce(sum(t.coins) FILTER (WHERE t.event_at >= to_timestamp(w.month_s)), 0)::bigint AS month,
            coalesce(sum(t.coins) FILTER (WHERE t.event_at >= to_timestamp(w.session_s)), 0)::bigint AS session
        FROM transfer AS t WHERE t.sender = w.user_id AND t.key >= w.oldest AND t.kind = 'gift'
    ) AS sent
""")

NEVER_S: Final = 2**40
"""From here on there is no gift: what is not limited is not counted."""


def key_from(at_s: float) -> str:
    """What no key of a later gift is below."""
    ms = f"{max(0, int((at_s - KEY_EARLIER_S) * 1_000)):012x}"
    return f"{ms[:8]}-{ms[8:]}"


async def spending_of(connection: AsyncConnection, users: Sequence[str], at_s: float) -> dict[str, Spending]:
    """Limits of these people, and what they have sent in the windows around a moment (Unix seconds)."""
    found: dict[str, Spending] = {}
    days, months, sessions, oldest = [], [], [], []
    for user, standing in (await standings(connection, users)).items():
        limits, zones = standing.limits(), zones_of(standing, at_s)
        around = windows(zones, at_s)
        found[user] = Spending(standing.number, zones, limits, around)
        days.append(around.day_from_s)
        months.append(around.month_from_s if limits.month_coins != NONE else NEVER_S)
        sessions.append(limits.session_from_s if limits.session_until_s > at_s else NEVER_S)
        oldest.append(key_from(min(days[-1], months[-1], sessions[-1])))
    values = {"users": list(found), "days": days, "months": months, "sessions": sessions, "oldest": oldest}
    for row in await connection.execute(SENT, values):
        known = found[row.user_id]
        found[row.user_id] = Spending(
            known.number, known.zones, known.limits, known.windows, row.day, row.month, row.session
        )
    return found

"""Tables of what people may spend, and of who looks after whom: see `limits.py` and `guardians.py`."""

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, LargeBinary, Table, Text, func

from giftserver.durable.tables import metadata

# Every decision, for ever: of those of one person, scope and field that have begun, the newest holds.
limit_change = Table(
    "limit_change",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("scope", Text, nullable=False),  # own, or guardian
    Column("field", Text, nullable=False),
    Column("coins", BigInteger),  # null: none of this scope
    Column("zone", Text),
    Column("begins_at", DateTime(timezone=True)),  # of a session's budget
    Column("ends_at", DateTime(timezone=True)),  # of a session's budget, and of a lock
    Column("by_user", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("from_at", DateTime(timezone=True), nullable=False),
    Column("applied_at", DateTime(timezone=True)),  # Redis has it, where the wallet is loaded
    CheckConstraint("scope IN ('own', 'guardian')", name="limit_change_scope"),
    CheckConstraint("coins BETWEEN 0 AND 1000000000000", name="limit_change_coins"),
    CheckConstraint(
        "CASE field WHEN 'zone' THEN zone IS NOT NULL AND scope = 'own' WHEN 'locked' THEN ends_at IS NOT NULL "
        "WHEN 'session' THEN num_nulls(coins, begins_at, ends_at) = 0 AND scope = 'own' "
        "ELSE field IN ('gift', 'day', 'month') AND num_nonnulls(zone, begins_at, ends_at) = 0 END",
        name="limit_change_complete",
    ),
    Index("limit_change_user", "user_id", "scope", "field", "id"),
)
Index("limit_change_due", limit_change.c.from_at, postgresql_where=limit_change.c.applied_at.is_(None))

guardian_code = Table(
    "guardian_code",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("ward", Text, nullable=False),
    Column("ward_name", Text, nullable=False),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("used_at", DateTime(timezone=True)),
    Index("guardian_code_ward", "ward"),
)

guardian_link = Table(
    "guardian_link",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("ward", Text, nullable=False),
    Column("guardian", Text, nullable=False),
    Column("guardian_name", Text, nullable=False),
    Column("ward_name", Text, nullable=False),
    Column("linked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("ended_at", DateTime(timezone=True)),
    Column("ended_by", Text),
    CheckConstraint("ward <> guardian", name="guardian_link_two"),
    Index("guardian_link_guardian", "guardian"),
)
Index(
    "guardian_link_ward",
    guardian_link.c.ward,
    unique=True,
    postgresql_where=guardian_link.c.ended_at.is_(None),
)

"""Tables that the rules look into; `tables.py` has the metadata of all."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Date, PrimaryKeyConstraint, SmallInteger, Table, Text

from giftserver.durable.tables import metadata

# What one person gave another on a UTC day, up to the cursor and without gifts that are given back; kept for a week.
gift_pair_day = Table(
    "gift_pair_day",
    metadata,
    Column("day", Date, nullable=False),  # of event_at
    Column("creator", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("gifts", BigInteger, nullable=False),
    Column("coins", BigInteger, nullable=False),
    Column("diamonds", BigInteger, nullable=False),
    PrimaryKeyConstraint("day", "creator", "sender", name="gift_pair_day_pkey"),
)

# The last gift of each shard that was added; a shard's gifts are posted in the order of their ids.
gift_pair_cursor = Table(
    "gift_pair_cursor",
    metadata,
    Column("shard", SmallInteger, nullable=False, autoincrement=False),
    Column("gift", BigInteger, nullable=False),
    PrimaryKeyConstraint("shard", name="gift_pair_cursor_pkey"),
    CheckConstraint("shard BETWEEN 0 AND 15", name="gift_pair_cursor_shard"),
)

"""Sums for the rules that open cases, and two indexes they look things up by.

Revision ID: 0011
Revises: 0010
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PAIRS = (
    """
    CREATE TABLE gift_pair_day (
        day date NOT NULL,
        creator text NOT NULL,
        sender text NOT NULL,
        gifts bigint NOT NULL,
        coins bigint NOT NULL,
        diamonds bigint NOT NULL,
        CONSTRAINT gift_pair_day_pkey PRIMARY KEY (day, creator, sender)
    )
    """,
    """
    CREATE TABLE gift_pair_cursor (
        shard smallint CONSTRAINT gift_pair_cursor_pkey PRIMARY KEY
            CONSTRAINT gift_pair_cursor_shard CHECK (shard BETWEEN 0 AND 15),
        gift bigint NOT NULL
    )
    """,
    "INSERT INTO gift_pair_cursor SELECT shard, (shard + 1)::bigint << 55 FROM generate_series(0, 15) AS shard",
)

# Neither claims nor cases ever go, and the rules ask every minute.
INDEXES = (
    "CREATE INDEX claim_dispute_opened ON claim (opened_at) WHERE kind = 'dispute'",
    "CREATE INDEX case_file_of_subject ON case_file (subject_kind, subject_id)",
)


def upgrade() -> None:
    """Add tables and indexes; claims and cases are read once, no gift is."""
    for statement in (*PAIRS, *INDEXES):
        op.execute(statement)

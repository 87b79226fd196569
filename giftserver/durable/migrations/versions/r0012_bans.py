"""Bans from live, and which of them is of which case.

Revision ID: 0012
Revises: 0011
"""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BANS = (
    """
    CREATE TABLE live_ban (
        reference text CONSTRAINT live_ban_pkey PRIMARY KEY,
        user_id text NOT NULL,
        reason text NOT NULL,
        placed_at timestamptz NOT NULL DEFAULT now(),
        lifted_at timestamptz,
        CONSTRAINT live_ban_named CHECK (user_id <> '' AND reason <> '')
    )
    """,
    "CREATE INDEX live_ban_user ON live_ban (user_id) WHERE lifted_at IS NULL",
    """
    ALTER TABLE case_file
        ADD COLUMN ban_reference text CONSTRAINT case_file_ban_fkey REFERENCES live_ban (reference),
        ADD COLUMN bans integer NOT NULL DEFAULT 0
    """,
)


def upgrade() -> None:
    """Add a table and two columns; no row is read."""
    for statement in BANS:
        op.execute(statement)

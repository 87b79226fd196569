"""Stops of all payouts: why nothing is paid out, from when, and since when it goes on.

Revision ID: 0016
Revises: 0015
"""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE payout_stop (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT payout_stop_pkey PRIMARY KEY,
        reason text NOT NULL CONSTRAINT payout_stop_reason CHECK (reason <> ''),
        unknown text[] NOT NULL DEFAULT '{}',
        placed_by text NOT NULL CONSTRAINT payout_stop_placed CHECK (placed_by <> ''),
        placed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        lifted_by text,
        lifted_at timestamptz,
        CONSTRAINT payout_stop_lifted CHECK ((lifted_by IS NULL) = (lifted_at IS NULL))
    )
    """,
    "CREATE INDEX payout_stop_in_force ON payout_stop (id) WHERE lifted_at IS NULL",
    """
    CREATE TRIGGER payout_stop_keeps_its_reason BEFORE UPDATE OF id, reason, unknown, placed_by, placed_at
        OR DELETE OR TRUNCATE ON payout_stop FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER payout_stop_lifted_once BEFORE UPDATE ON payout_stop FOR EACH ROW
        WHEN (OLD.lifted_at IS NOT NULL) EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    """Add a table; nothing that is there is read."""
    for statement in STATEMENTS:
        op.execute(statement)

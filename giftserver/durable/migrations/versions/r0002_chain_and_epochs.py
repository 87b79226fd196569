"""A hash chain over each shard's gifts, and every epoch a shard was ever opened with.

Revision ID: 0002
Revises: 0001
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Of gifts only; those posted before this migration keep NULL, for the past is not rewritten.
    "ALTER TABLE transfer ADD COLUMN hash bytea",
    # Hash of the shard's last gift, empty before the first that has one.
    r"ALTER TABLE flush_cursor ADD COLUMN chain bytea NOT NULL DEFAULT '\x'",
    """
    CREATE TABLE ledger_epoch (
        shard smallint NOT NULL,
        epoch integer NOT NULL,
        run text NOT NULL,
        verdict text NOT NULL,
        seq bigint NOT NULL,
        opened_at timestamptz NOT NULL DEFAULT now(),
        note text NOT NULL DEFAULT '',
        CONSTRAINT ledger_epoch_pkey PRIMARY KEY (shard, epoch)
    )
    """,
    """
    CREATE TRIGGER ledger_epoch_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_epoch
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    """Add the columns and the table; no row is rewritten, so it takes a moment however long the ledger is."""
    for statement in STATEMENTS:
        op.execute(statement)

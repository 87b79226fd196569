"""Sessions that were ended before their tokens run out.

Revision ID: 0007
Revises: 0006
"""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add a table; nothing else is read."""
    op.execute("""
        CREATE TABLE session_end (
            user_id text CONSTRAINT session_end_pkey PRIMARY KEY,
            before_s bigint NOT NULL,
            by_user text NOT NULL,
            at timestamptz NOT NULL DEFAULT now()
        )
    """)
    op.execute("CREATE INDEX session_end_before ON session_end (before_s)")

"""Refunds of gifts that came after their room had closed.

Revision ID: 0004
Revises: 0003
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATEMENTS = (
    # When a room was closed, by the clock of the ledger's Redis, which is also that of every gift.
    """
    CREATE TABLE room_closing (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        room text NOT NULL CONSTRAINT room_closing_room_fkey REFERENCES room (id),
        closed_ms bigint,
        opened_ms bigint
    )
    """,
    "CREATE UNIQUE INDEX room_closing_now ON room_closing (room) WHERE opened_ms IS NULL",
    "CREATE INDEX room_closing_room ON room_closing (room, opened_ms)",
    "CREATE INDEX room_closing_unknown ON room_closing (id) WHERE closed_ms IS NULL",
    # Gifts to take back; `refund` is the transfer that did it.
    """
    CREATE TABLE refund_due (
        gift bigint NOT NULL CONSTRAINT refund_due_pkey PRIMARY KEY,
        reason text NOT NULL CONSTRAINT refund_due_reason CHECK (reason <> ''),
        refund bigint CONSTRAINT refund_due_refund UNIQUE,
        asked_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT refund_due_gift_fkey FOREIGN KEY (gift) REFERENCES transfer (id),
        CONSTRAINT refund_due_refund_fkey FOREIGN KEY (refund) REFERENCES transfer (id)
    )
    """,
    "CREATE INDEX refund_due_pending ON refund_due (gift) WHERE refund IS NULL",
    "ALTER TABLE gift_day ADD COLUMN refunded_gifts bigint NOT NULL DEFAULT 0",
    "ALTER TABLE gift_day ADD COLUMN refunded_coins bigint NOT NULL DEFAULT 0",
    "ALTER TABLE gift_day ADD COLUMN refunded_diamonds bigint NOT NULL DEFAULT 0",
    # There are none yet; NOT VALID would leave the rule unproven, and to prove it only reads.
    """
    ALTER TABLE transfer ADD CONSTRAINT transfer_refund_complete CHECK (
        kind <> 'refund' OR num_nulls(reverses, sender, room, creator, gift, quantity, reference) = 0) NOT VALID
    """,
    "ALTER TABLE transfer VALIDATE CONSTRAINT transfer_refund_complete",
)


def upgrade() -> None:
    """Add tables, columns and a rule; the transfers are read once, none is rewritten."""
    for statement in STATEMENTS:
        op.execute(statement)

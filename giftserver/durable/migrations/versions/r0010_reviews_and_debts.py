"""What operators decided about payments, debts that are paid off, and promotions that orders hold one at a time.

Revision ID: 0010
Revises: 0009
"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

STATEMENTS = (
    """
    CREATE TABLE payment_review (
        payment text NOT NULL,
        n integer NOT NULL,
        review text NOT NULL,
        decision text NOT NULL CONSTRAINT payment_review_decision CHECK (decision IN ('credit', 'refund', 'close')),
        reason text NOT NULL,
        by_user text NOT NULL,
        at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT payment_review_pkey PRIMARY KEY (payment, n),
        CONSTRAINT payment_review_payment_fkey FOREIGN KEY (payment) REFERENCES payment (id)
    )
    """,
    """
    CREATE TRIGGER payment_review_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_review
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    "ALTER TABLE claim ADD COLUMN repaid_coins bigint NOT NULL DEFAULT 0",
    "ALTER TABLE claim ADD CONSTRAINT claim_repaid CHECK (repaid_coins BETWEEN 0 AND owed_coins)",
    # Orders from before this do not count here; what they hold is unique for each promotion all the same.
    "ALTER TABLE payment ADD COLUMN first_purchase boolean NOT NULL DEFAULT false",
    "ALTER TABLE payment ADD COLUMN promotion_uses_max bigint",
    """
    CREATE UNIQUE INDEX payment_first_purchase_once ON payment (user_id) WHERE promotion_held AND first_purchase
    """,
)


def upgrade() -> None:
    """Add a table and columns with constant defaults, which reads no row; the rule of claims is proved anew."""
    for statement in STATEMENTS:
        op.execute(statement)

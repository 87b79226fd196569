"""Adjustments of one's own wallet are refused; those that were proposed before can be rejected.

Revision ID: 0013
Revises: 0012
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

# A trigger and no constraint: what was decided before the rule stays as it is.
OTHERS = (
    """
    CREATE FUNCTION refuse_own_affair() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '% of % refused: it is about whoever decides', TG_OP, TG_TABLE_NAME
            USING ERRCODE = 'integrity_constraint_violation', TABLE = TG_TABLE_NAME, CONSTRAINT = TG_NAME;
    END $$
    """,
    """
    CREATE TRIGGER adjustment_of_somebody_else BEFORE INSERT OR UPDATE ON adjustment FOR EACH ROW
        WHEN (NEW.decided_by = NEW.user_id OR NEW.proposed_by = NEW.user_id AND NEW.state <> 'rejected')
        EXECUTE FUNCTION refuse_own_affair()
    """,
)


def upgrade() -> None:
    """Add the trigger; nothing is read."""
    for statement in OTHERS:
        op.execute(statement)

"""What never changes of claims, holds, bans, guardians and ended sessions stays as it was written.

Revision ID: 0015
Revises: 0014
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

# Of each table: the trigger, the columns that are never written again; no row of it is deleted.
TERMS = {
    "claim": ("claim_keeps_its_terms", "id, payment, kind, reason, opened_at"),
    "wallet_hold": ("wallet_hold_keeps_its_reason", "reference, user_id, reason, placed_at"),
    "live_ban": ("live_ban_keeps_its_reason", "reference, user_id, reason, placed_at"),
    "guardian_link": (
        "guardian_link_keeps_its_people", "id, ward, guardian, guardian_name, ward_name, linked_at"
    ),
    "session_end": ("session_end_keeps_its_person", "user_id"),
}  # fmt: skip

# A claim's amount may be told anew until something is booked, and its hold comes back when coins do; tokens that were
# void stay void.
MOVES = {
    "claim": ("claim_keeps_its_amount", "OLD.state <> 'waiting' AND NEW.amount_minor <> OLD.amount_minor"),
    "wallet_hold": (
        "wallet_hold_released_once",
        "OLD.released_at IS NOT NULL AND (NEW.released_at IS NOT NULL OR OLD.reference NOT LIKE 'claim:%')",
    ),
    "live_ban": ("live_ban_lifted_once", "OLD.lifted_at IS NOT NULL"),
    "guardian_link": ("guardian_link_ended_once", "OLD.ended_at IS NOT NULL"),
    "session_end": ("session_end_only_grows", "NEW.before_s < OLD.before_s"),
}


def upgrade() -> None:
    """Add triggers; no row is read."""
    for table, (name, columns) in TERMS.items():
        op.execute(f"""
            CREATE TRIGGER {name} BEFORE UPDATE OF {columns} OR DELETE OR TRUNCATE ON {table}
                FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
        """)
    for table, (name, condition) in MOVES.items():
        op.execute(f"""
            CREATE TRIGGER {name} BEFORE UPDATE ON {table} FOR EACH ROW WHEN ({condition})
                EXECUTE FUNCTION refuse_change()
        """)

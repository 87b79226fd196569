"""What people may spend, and who looks after whom.

Revision ID: 0008
Revises: 0007
"""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

STATEMENTS = (
    # Every decision, for ever: of those of one person, scope and field that have begun, the newest holds.
    """
    CREATE TABLE limit_change (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT limit_change_pkey PRIMARY KEY,
        user_id text NOT NULL,
        scope text NOT NULL CONSTRAINT limit_change_scope CHECK (scope IN ('own', 'guardian')),
        field text NOT NULL,
        coins bigint CONSTRAINT limit_change_coins CHECK (coins BETWEEN 0 AND 1000000000000),
        zone text,
        begins_at timestamptz,
        ends_at timestamptz,
        by_user text NOT NULL,
        asked_at timestamptz NOT NULL DEFAULT now(),
        from_at timestamptz NOT NULL,
        applied_at timestamptz,
        CONSTRAINT limit_change_complete CHECK (
            CASE field WHEN 'zone' THEN zone IS NOT NULL AND scope = 'own' WHEN 'locked' THEN ends_at IS NOT NULL
            WHEN 'session' THEN num_nulls(coins, begins_at, ends_at) = 0 AND scope = 'own'
            ELSE field IN ('gift', 'day', 'month') AND num_nonnulls(zone, begins_at, ends_at) = 0 END)
    )
    """,
    "CREATE INDEX limit_change_user ON limit_change (user_id, scope, field, id)",
    "CREATE INDEX limit_change_due ON limit_change (from_at) WHERE applied_at IS NULL",
    # A decision is never changed, only marked as brought to Redis.
    """
    CREATE FUNCTION limit_change_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF TG_OP = 'DELETE' OR to_jsonb(OLD) - 'applied_at' IS DISTINCT FROM to_jsonb(NEW) - 'applied_at' THEN
            RAISE EXCEPTION 'a decision on limits stays as it was made: make another one';
        END IF;
        RETURN NEW;
    END $$
    """,
    """
    CREATE TRIGGER limit_change_stays BEFORE UPDATE OR DELETE ON limit_change
        FOR EACH ROW EXECUTE FUNCTION limit_change_stays()
    """,
    """
    CREATE TABLE guardian_code (
        hash bytea CONSTRAINT guardian_code_pkey PRIMARY KEY,
        ward text NOT NULL,
        ward_name text NOT NULL,
        expires_at timestamptz NOT NULL,
        used_at timestamptz
    )
    """,
    "CREATE INDEX guardian_code_ward ON guardian_code (ward)",
    """
    CREATE TABLE guardian_link (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT guardian_link_pkey PRIMARY KEY,
        ward text NOT NULL,
        guardian text NOT NULL,
        guardian_name text NOT NULL,
        ward_name text NOT NULL,
        linked_at timestamptz NOT NULL DEFAULT now(),
        ended_at timestamptz,
        ended_by text,
        CONSTRAINT guardian_link_two CHECK (ward <> guardian)
    )
    """,
    "CREATE INDEX guardian_link_guardian ON guardian_link (guardian)",
    "CREATE UNIQUE INDEX guardian_link_ward ON guardian_link (ward) WHERE ended_at IS NULL",
)


def upgrade() -> None:
    """Add tables; nothing else is read."""
    for statement in STATEMENTS:
        op.execute(statement)

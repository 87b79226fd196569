"""The audit log, cases and the reports that open them, and adjustments of wallets by two persons.

Revision ID: 0009
Revises: 0008
"""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

ACCOUNTS = (
    "ALTER TABLE account DROP CONSTRAINT account_kind",
    """
    ALTER TABLE account ADD CONSTRAINT account_kind CHECK ((kind, asset) IN (('wallet', 'coins'),
        ('earnings', 'diamonds'), ('coins_sold', 'coins'), ('gifts_spent', 'coins'), ('diamonds_issued', 'diamonds'),
        ('promotions', 'coins'), ('frozen', 'coins'), ('owed', 'coins'), ('owed_to_platform', 'coins'),
        ('adjustments', 'coins'))
        OR kind IN ('clearing', 'revenue', 'disputed', 'charged_back') AND asset ~ '^[A-Z]{3}$')
    """,
    "ALTER TABLE account DROP CONSTRAINT account_not_below_zero",
    """
    ALTER TABLE account ADD CONSTRAINT account_not_below_zero CHECK (balance >= 0 OR kind IN ('coins_sold',
        'diamonds_issued', 'promotions', 'revenue', 'clearing', 'owed_to_platform', 'adjustments'))
    """,
    "INSERT INTO account (id, kind, owner, asset) VALUES (6, 'adjustments', 'platform', 'coins')",
)

# The head is the last row's number and hash: without it nobody could tell that the last rows were taken away.
AUDIT_LOG = (
    """
    CREATE TABLE audit_log (
        id bigint CONSTRAINT audit_log_pkey PRIMARY KEY,
        at timestamptz NOT NULL,
        actor text NOT NULL,
        role text NOT NULL,
        action text NOT NULL CONSTRAINT audit_log_action CHECK (action ~ '^[a-z_]{1,32}$'),
        subject_kind text NOT NULL,
        subject_id text NOT NULL,
        reason text NOT NULL DEFAULT '',
        details jsonb NOT NULL DEFAULT '{}',
        hash bytea NOT NULL CONSTRAINT audit_log_hash CHECK (length(hash) = 32),
        CONSTRAINT audit_log_named CHECK (actor <> '' AND role <> '' AND subject_kind <> '' AND subject_id <> '')
    )
    """,
    "CREATE INDEX audit_log_subject ON audit_log (subject_id, id)",
    "CREATE INDEX audit_log_actor ON audit_log (actor, id)",
    """
    CREATE TABLE audit_head (
        one boolean DEFAULT true CONSTRAINT audit_head_pkey PRIMARY KEY CONSTRAINT audit_head_one CHECK (one),
        last bigint NOT NULL DEFAULT 0,
        hash bytea NOT NULL DEFAULT '\\x'
    )
    """,
    "INSERT INTO audit_head DEFAULT VALUES",
    """
    CREATE TRIGGER audit_log_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER audit_head_stays BEFORE DELETE OR TRUNCATE ON audit_head
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)

CASES = (
    """
    CREATE TABLE case_file (
        id text CONSTRAINT case_file_pkey PRIMARY KEY,
        kind text NOT NULL CONSTRAINT case_file_kind CHECK (kind IN ('report', 'rule')),
        subject_kind text NOT NULL CONSTRAINT case_file_subject CHECK (subject_kind IN ('payment', 'gift', 'user')),
        subject_id text NOT NULL,
        person text NOT NULL,
        opened_by text NOT NULL,
        reason text NOT NULL,
        evidence jsonb NOT NULL,
        state text NOT NULL DEFAULT 'open',
        version integer NOT NULL DEFAULT 1,
        hold_reference text,
        holds integer NOT NULL DEFAULT 0,
        outcome text,
        closed_by text,
        closed_at timestamptz,
        opened_at timestamptz NOT NULL DEFAULT now(),
        changed_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT case_file_hold_fkey FOREIGN KEY (hold_reference) REFERENCES wallet_hold (reference),
        CONSTRAINT case_file_named CHECK (subject_id <> '' AND person <> '' AND opened_by <> ''),
        CONSTRAINT case_file_rule CHECK (kind = 'report' OR opened_by LIKE 'rule:%'),
        CONSTRAINT case_file_state CHECK (state IN ('open', 'closed')),
        CONSTRAINT case_file_outcome CHECK (outcome IN ('upheld', 'dismissed', 'resolved')),
        CONSTRAINT case_file_closed CHECK (CASE WHEN state = 'open' THEN num_nonnulls(outcome, closed_by, closed_at) = 0
            ELSE num_nulls(outcome, closed_by, closed_at) = 0 END)
    )
    """,
    "CREATE UNIQUE INDEX case_file_open ON case_file (subject_kind, subject_id) WHERE state = 'open'",
    """
    CREATE TRIGGER case_file_keeps_its_subject BEFORE UPDATE OF id, kind, subject_kind, subject_id, person, opened_by,
        reason, opened_at OR DELETE OR TRUNCATE ON case_file FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TABLE report (
        id text CONSTRAINT report_pkey PRIMARY KEY,
        case_id text NOT NULL,
        reporter text NOT NULL CONSTRAINT report_reporter CHECK (reporter <> ''),
        key text NOT NULL,
        reason text NOT NULL,
        note text NOT NULL DEFAULT '' CONSTRAINT report_note CHECK (length(note) <= 1000),
        hold boolean NOT NULL DEFAULT false,
        at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT report_key UNIQUE (reporter, key),
        CONSTRAINT report_case_fkey FOREIGN KEY (case_id) REFERENCES case_file (id)
    )
    """,
    "CREATE INDEX report_reporter_at ON report (reporter, at)",
    "CREATE INDEX report_of_case ON report (case_id)",
    """
    CREATE TRIGGER report_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON report
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)

ADJUSTMENTS = (
    """
    CREATE TABLE adjustment (
        id text CONSTRAINT adjustment_pkey PRIMARY KEY,
        key text NOT NULL,
        user_id text NOT NULL CONSTRAINT adjustment_user CHECK (user_id <> ''),
        coins bigint NOT NULL CONSTRAINT adjustment_coins CHECK (coins <> 0 AND coins BETWEEN -1000000 AND 1000000),
        reason text NOT NULL CONSTRAINT adjustment_reason CHECK (reason <> ''),
        case_id text,
        proposed_by text NOT NULL,
        proposed_at timestamptz NOT NULL DEFAULT now(),
        state text NOT NULL DEFAULT 'proposed',
        decided_by text,
        decided_at timestamptz,
        transfer bigint CONSTRAINT adjustment_transfer UNIQUE,
        CONSTRAINT adjustment_key UNIQUE (proposed_by, key),
        CONSTRAINT adjustment_case_fkey FOREIGN KEY (case_id) REFERENCES case_file (id),
        CONSTRAINT adjustment_transfer_fkey FOREIGN KEY (transfer) REFERENCES transfer (id),
        CONSTRAINT adjustment_state CHECK (state IN ('proposed', 'approved', 'rejected')),
        CONSTRAINT adjustment_two_persons CHECK (decided_by <> proposed_by),
        CONSTRAINT adjustment_decided CHECK (CASE WHEN state = 'proposed' THEN num_nonnulls(decided_by, decided_at) = 0
            ELSE num_nulls(decided_by, decided_at) = 0 END),
        CONSTRAINT adjustment_booked CHECK ((state = 'approved') = (transfer IS NOT NULL))
    )
    """,
    "CREATE INDEX adjustment_of_user ON adjustment (user_id)",
    "CREATE INDEX adjustment_of_case ON adjustment (case_id) WHERE case_id IS NOT NULL",
    """
    CREATE TRIGGER adjustment_keeps_its_terms BEFORE UPDATE OF id, key, user_id, coins, reason, case_id, proposed_by,
        proposed_at OR DELETE OR TRUNCATE ON adjustment FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER adjustment_decided_once BEFORE UPDATE ON adjustment
        FOR EACH ROW WHEN (OLD.state <> 'proposed') EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    """Add tables and an account; the rules of accounts are proved anew, which reads them once."""
    for statement in (*ACCOUNTS, *AUDIT_LOG, *CASES, *ADJUSTMENTS):
        op.execute(statement)

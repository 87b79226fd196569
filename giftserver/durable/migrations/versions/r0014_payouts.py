"""Payouts to creators: requests, their steps, where they go, and the accounts they are booked on.

Revision ID: 0014
Revises: 0013
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ACCOUNTS = (
    "ALTER TABLE account DROP CONSTRAINT account_kind",
    """
    ALTER TABLE account ADD CONSTRAINT account_kind CHECK ((kind, asset) IN (('wallet', 'coins'),
        ('earnings', 'diamonds'), ('coins_sold', 'coins'), ('gifts_spent', 'coins'), ('diamonds_issued', 'diamonds'),
        ('promotions', 'coins'), ('frozen', 'coins'), ('owed', 'coins'), ('owed_to_platform', 'coins'),
        ('adjustments', 'coins'), ('payout_held', 'diamonds'), ('paid_out', 'diamonds'))
        OR kind IN ('clearing', 'revenue', 'disputed', 'charged_back', 'paid_out') AND asset ~ '^[A-Z]{3}$')
    """,
    "INSERT INTO account (id, kind, owner, asset) VALUES (7, 'paid_out', 'platform', 'diamonds')",
    # A payout moves diamonds and money, and no coins.
    "ALTER TABLE transfer DROP CONSTRAINT transfer_coins",
    """
    ALTER TABLE transfer ADD CONSTRAINT transfer_coins CHECK (
        coins BETWEEN 1 AND 1000000000000 OR coins = 0 AND kind LIKE 'payout%')
    """,
)

PAYOUTS = (
    """
    CREATE TABLE payout_account (
        id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT payout_account_pkey PRIMARY KEY,
        user_id text NOT NULL,
        provider text NOT NULL,
        address text NOT NULL CONSTRAINT payout_account_address CHECK (length(address) BETWEEN 1 AND 254),
        set_at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT payout_account_named CHECK (user_id <> '' AND provider <> '')
    )
    """,
    "CREATE INDEX payout_account_user ON payout_account (user_id, id)",
    """
    CREATE TRIGGER payout_account_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_account
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TABLE payout (
        id text CONSTRAINT payout_pkey PRIMARY KEY CONSTRAINT payout_id CHECK (id ~ '^out_[0-9a-f]{32}$'),
        user_id text NOT NULL CONSTRAINT payout_user CHECK (user_id <> ''),
        key text NOT NULL,
        request_hash text NOT NULL,
        provider text NOT NULL,
        account bigint NOT NULL,
        diamonds bigint NOT NULL CONSTRAINT payout_diamonds CHECK (diamonds BETWEEN 1 AND 1000000000000),
        amount_minor bigint NOT NULL CONSTRAINT payout_amount CHECK (amount_minor BETWEEN 1 AND 1000000000000),
        currency text NOT NULL CONSTRAINT payout_currency CHECK (currency ~ '^[A-Z]{3}$'),
        rate_version integer NOT NULL,
        state text NOT NULL DEFAULT 'requested',
        provider_ref text,
        reason text,
        review text,
        ask_at timestamptz DEFAULT now(),
        tries integer NOT NULL DEFAULT 0,
        sent_at timestamptz,
        paid_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT payout_key UNIQUE (user_id, key),
        CONSTRAINT payout_account_fkey FOREIGN KEY (account) REFERENCES payout_account (id),
        CONSTRAINT payout_state CHECK (state IN ('requested', 'held', 'sending', 'paid', 'failed', 'cancelled',
            'voided', 'returned')),
        CONSTRAINT payout_asked CHECK (state NOT IN ('requested', 'held', 'sending') OR ask_at IS NOT NULL),
        CONSTRAINT payout_sent CHECK (
            state NOT IN ('sending', 'paid', 'failed', 'returned') OR sent_at IS NOT NULL),
        CONSTRAINT payout_paid CHECK ((state IN ('paid', 'returned')) = (paid_at IS NOT NULL))
    )
    """,
    "CREATE INDEX payout_user_created ON payout (user_id, created_at)",
    "CREATE INDEX payout_due ON payout (ask_at) WHERE ask_at IS NOT NULL",
    "CREATE INDEX payout_review ON payout (id) WHERE review IS NOT NULL",
    "CREATE INDEX payout_sending ON payout (sent_at) WHERE state = 'sending'",
    "CREATE INDEX payout_provider_created ON payout (provider, created_at)",
    """
    CREATE TRIGGER payout_keeps_its_terms BEFORE UPDATE OF id, user_id, key, request_hash, provider, account, diamonds,
        amount_minor, currency, rate_version, created_at OR DELETE OR TRUNCATE ON payout
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    # What was sent cannot be stopped, and what is over stays so; whoever writes, and however.
    """
    CREATE TRIGGER payout_goes_forward BEFORE UPDATE OF state ON payout FOR EACH ROW
        WHEN (OLD.state <> NEW.state AND (OLD.state, NEW.state) NOT IN (('requested', 'held'),
            ('requested', 'sending'), ('requested', 'cancelled'), ('requested', 'voided'), ('held', 'requested'),
            ('held', 'cancelled'), ('held', 'voided'), ('sending', 'paid'), ('sending', 'failed'),
            ('paid', 'returned')))
        EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TABLE payout_step (
        payout text NOT NULL,
        n integer NOT NULL,
        state text NOT NULL,
        source text NOT NULL,
        detail text NOT NULL DEFAULT '',
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT payout_step_pkey PRIMARY KEY (payout, n),
        CONSTRAINT payout_step_payout_fkey FOREIGN KEY (payout) REFERENCES payout (id)
    )
    """,
    """
    CREATE TRIGGER payout_step_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payout_step
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    """Add tables and an account; the rules of accounts and of transfers' coins are proved anew, which reads both."""
    for statement in (*ACCOUNTS, *PAYOUTS):
        op.execute(statement)

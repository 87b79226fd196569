"""Payments: orders, their steps, the providers' events, price lists, and the accounts that money is booked on.

Revision ID: 0005
Revises: 0004
"""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ACCOUNTS = (
    "ALTER TABLE account DROP CONSTRAINT account_kind",
    """
    ALTER TABLE account ADD CONSTRAINT account_kind CHECK ((kind, asset) IN (('wallet', 'coins'),
        ('earnings', 'diamonds'), ('coins_sold', 'coins'), ('gifts_spent', 'coins'), ('diamonds_issued', 'diamonds'),
        ('promotions', 'coins')) OR kind IN ('clearing', 'revenue') AND asset ~ '^[A-Z]{3}$')
    """,
    "ALTER TABLE account DROP CONSTRAINT account_not_below_zero",
    """
    ALTER TABLE account ADD CONSTRAINT account_not_below_zero CHECK (balance >= 0
        OR kind IN ('coins_sold', 'diamonds_issued', 'promotions', 'revenue'))
    """,
    "INSERT INTO account (id, kind, owner, asset) VALUES (4, 'promotions', 'platform', 'coins')",
)

PAYMENT = """
CREATE TABLE payment (
    id text CONSTRAINT payment_pkey PRIMARY KEY,
    user_id text NOT NULL CONSTRAINT payment_user CHECK (user_id <> ''),
    key text NOT NULL,
    request_hash text NOT NULL,
    provider text NOT NULL,
    provider_ref text,
    checkout_url text,
    method text,
    state text NOT NULL DEFAULT 'created',
    coins bigint NOT NULL CONSTRAINT payment_coins CHECK (coins BETWEEN 1 AND 1000000000000),
    bonus_coins bigint NOT NULL DEFAULT 0 CONSTRAINT payment_bonus CHECK (bonus_coins BETWEEN 0 AND 1000000000000),
    pack text,
    amount_minor bigint NOT NULL CONSTRAINT payment_amount CHECK (amount_minor BETWEEN 1 AND 1000000000000),
    currency text NOT NULL CONSTRAINT payment_currency CHECK (currency ~ '^[A-Z]{3}$'),
    country text NOT NULL,
    price_version integer NOT NULL,
    promotion text,
    promotion_held boolean NOT NULL DEFAULT false,
    decline text,
    review text,
    transfer bigint CONSTRAINT payment_transfer UNIQUE,
    expires_at timestamptz NOT NULL,
    asked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT payment_key UNIQUE (user_id, key),
    CONSTRAINT payment_provider_ref UNIQUE (provider, provider_ref),
    CONSTRAINT payment_transfer_fkey FOREIGN KEY (transfer) REFERENCES transfer (id),
    CONSTRAINT payment_state CHECK (state IN ('created', 'pending', 'requires_action', 'authorised', 'failed',
        'expired', 'cancelled', 'succeeded', 'credited', 'partially_refunded', 'refunded')),
    CONSTRAINT payment_credited CHECK (state <> 'credited' OR transfer IS NOT NULL),
    CONSTRAINT payment_promotion CHECK (promotion IS NOT NULL OR NOT promotion_held AND bonus_coins = 0)
)
"""

# As before, and of money: the entries of one transfer that are neither coins nor diamonds are of one currency.
ENTRY_MUST_BALANCE = """
    CREATE OR REPLACE FUNCTION entry_must_balance() RETURNS trigger LANGUAGE plpgsql
    SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off AS $$
    DECLARE wrong record;
    BEGIN
        SELECT * INTO wrong FROM (
            SELECT added.transfer AS id,
                count(account.asset) <> count(*)
                    OR (SELECT transfer.id FROM transfer WHERE transfer.id = added.transfer) IS NULL AS unknown,
                sum(CASE account.asset WHEN 'coins' THEN added.amount ELSE 0 END) <> 0
                    OR sum(CASE account.asset WHEN 'diamonds' THEN added.amount ELSE 0 END) <> 0
                    OR sum(added.amount) <> 0
                    OR coalesce(min(CASE WHEN account.asset NOT IN ('coins', 'diamonds') THEN account.asset END)
                        <> max(CASE WHEN account.asset NOT IN ('coins', 'diamonds') THEN account.asset END), false)
                    AS unbalanced,
                max(added.n) <> count(*) AS unnumbered
            FROM added LEFT JOIN account ON account.id = added.account GROUP BY added.transfer
        ) AS summed
        WHERE unknown OR unbalanced OR unnumbered
        LIMIT 1;
        IF FOUND THEN
            RAISE EXCEPTION 'entries of transfer % %', wrong.id, CASE
                    WHEN wrong.unknown THEN 'name a transfer or an account that is not there'
                    WHEN wrong.unbalanced THEN 'do not sum to zero'
                    ELSE 'are not posted at once, numbered from 1' END
                USING ERRCODE = 'check_violation', TABLE = 'entry', CONSTRAINT = 'entry_must_balance';
        END IF;
        RETURN NULL;
    END $$
"""

STATEMENTS = (
    *ACCOUNTS,
    ENTRY_MUST_BALANCE,
    PAYMENT,
    "CREATE INDEX payment_user_created ON payment (user_id, created_at)",
    "CREATE INDEX payment_open ON payment (updated_at) WHERE state IN "
    "('created', 'pending', 'requires_action', 'authorised', 'succeeded')",
    # One offer is one bonus: an order that ended unpaid lets it go.
    "CREATE UNIQUE INDEX payment_promotion_once ON payment (user_id, promotion) WHERE promotion_held",
    "CREATE INDEX payment_promotion_uses ON payment (promotion) WHERE promotion_held",
    """
    CREATE TABLE payment_step (
        payment text NOT NULL,
        n integer NOT NULL,
        state text NOT NULL,
        source text NOT NULL,
        detail text NOT NULL DEFAULT '',
        at timestamptz NOT NULL DEFAULT clock_timestamp(),
        CONSTRAINT payment_step_pkey PRIMARY KEY (payment, n),
        CONSTRAINT payment_step_payment_fkey FOREIGN KEY (payment) REFERENCES payment (id)
    )
    """,
    """
    CREATE TABLE provider_event (
        provider text NOT NULL,
        id text NOT NULL,
        kind text NOT NULL,
        provider_ref text NOT NULL,
        payment text NOT NULL DEFAULT '',
        outcome text,
        tries integer NOT NULL DEFAULT 0,
        next_at timestamptz NOT NULL DEFAULT now(),
        received_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT provider_event_pkey PRIMARY KEY (provider, id)
    )
    """,
    "CREATE INDEX provider_event_pending ON provider_event (next_at) WHERE outcome IS NULL",
    """
    CREATE TABLE price_list (
        version integer GENERATED ALWAYS AS IDENTITY CONSTRAINT price_list_pkey PRIMARY KEY,
        body text NOT NULL,
        proposed_by text NOT NULL,
        proposed_at timestamptz NOT NULL DEFAULT now(),
        approved_by text,
        approved_at timestamptz,
        CONSTRAINT price_list_two_persons CHECK (approved_by <> proposed_by),
        CONSTRAINT price_list_approved CHECK ((approved_by IS NULL) = (approved_at IS NULL))
    )
    """,
    """
    CREATE TRIGGER payment_keeps_its_terms BEFORE UPDATE OF id, user_id, key, request_hash, provider, coins,
        bonus_coins, pack, amount_minor, currency, country, price_version, promotion OR DELETE OR TRUNCATE ON payment
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER payment_step_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_step
        FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
    """
    CREATE TRIGGER price_list_keeps_its_body BEFORE UPDATE OF version, body, proposed_by OR DELETE OR TRUNCATE
        ON price_list FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()
    """,
)


def upgrade() -> None:
    """Add tables and accounts; the rules of accounts are proved anew, which reads them once."""
    for statement in STATEMENTS:
        op.execute(statement)

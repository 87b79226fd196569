"""Claims: money that goes back, the coins and diamonds that follow it, and wallets on hold meanwhile.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

STATEMENTS = (
    "ALTER TABLE account DROP CONSTRAINT account_kind",
    """
    ALTER TABLE account ADD CONSTRAINT account_kind CHECK ((kind, asset) IN (('wallet', 'coins'),
        ('earnings', 'diamonds'), ('coins_sold', 'coins'), ('gifts_spent', 'coins'), ('diamonds_issued', 'diamonds'),
        ('promotions', 'coins'), ('frozen', 'coins'), ('owed', 'coins'), ('owed_to_platform', 'coins'))
        OR kind IN ('clearing', 'revenue', 'disputed', 'charged_back') AND asset ~ '^[A-Z]{3}$')
    """,
    "ALTER TABLE account DROP CONSTRAINT account_not_below_zero",
    """
    ALTER TABLE account ADD CONSTRAINT account_not_below_zero CHECK (balance >= 0 OR kind IN ('coins_sold',
        'diamonds_issued', 'promotions', 'revenue', 'clearing', 'owed_to_platform'))
    """,
    "INSERT INTO account (id, kind, owner, asset) VALUES (5, 'owed_to_platform', 'platform', 'coins')",
    # Coins that are taken from a wallet are a credit below nothing.
    "ALTER TABLE credit_outbox DROP CONSTRAINT credit_outbox_coins",
    """
    ALTER TABLE credit_outbox ADD CONSTRAINT credit_outbox_coins CHECK (
        coins <> 0 AND coins BETWEEN -1000000000000 AND 1000000000000)
    """,
    "ALTER TABLE gift_day ADD COLUMN clawed_diamonds bigint NOT NULL DEFAULT 0",
    # Webhooks of disputes and refunds may be lost: credited payments are asked about again, ever more rarely.
    "ALTER TABLE payment ADD COLUMN ask_again_at timestamptz",
    "CREATE INDEX payment_ask_again ON payment (ask_again_at) WHERE ask_again_at IS NOT NULL",
    # Whether a wallet is on hold, by number: Redis takes the newest.
    """
    CREATE TABLE wallet_state (
        user_id text CONSTRAINT wallet_state_pkey PRIMARY KEY,
        number bigint NOT NULL,
        held boolean NOT NULL,
        applied_number bigint NOT NULL DEFAULT 0
    )
    """,
    "CREATE INDEX wallet_state_pending ON wallet_state (user_id) WHERE applied_number < number",
    """
    CREATE TABLE wallet_hold (
        reference text CONSTRAINT wallet_hold_pkey PRIMARY KEY,
        user_id text NOT NULL,
        reason text NOT NULL CONSTRAINT wallet_hold_reason CHECK (reason <> ''),
        placed_at timestamptz NOT NULL DEFAULT now(),
        released_at timestamptz
    )
    """,
    "CREATE INDEX wallet_hold_user ON wallet_hold (user_id) WHERE released_at IS NULL",
    """
    CREATE TABLE claim (
        id text CONSTRAINT claim_pkey PRIMARY KEY,
        payment text NOT NULL,
        kind text NOT NULL CONSTRAINT claim_kind CHECK (kind IN ('dispute', 'refund')),
        reason text NOT NULL DEFAULT '',
        amount_minor bigint NOT NULL CONSTRAINT claim_amount CHECK (amount_minor BETWEEN 1 AND 1000000000000),
        wanted text NOT NULL,
        state text NOT NULL DEFAULT 'waiting',
        coins bigint NOT NULL DEFAULT 0,
        frozen_coins bigint NOT NULL DEFAULT 0,
        owed_coins bigint NOT NULL DEFAULT 0,
        clawed_diamonds bigint NOT NULL DEFAULT 0,
        lost_diamonds bigint NOT NULL DEFAULT 0,
        opened_at timestamptz NOT NULL DEFAULT now(),
        changed_at timestamptz NOT NULL DEFAULT now(),
        next_at timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT claim_payment_fkey FOREIGN KEY (payment) REFERENCES payment (id),
        CONSTRAINT claim_wanted CHECK (wanted IN ('warning', 'open', 'won', 'lost')),
        CONSTRAINT claim_state CHECK (state IN ('waiting', 'holding', 'frozen', 'won', 'lost')),
        CONSTRAINT claim_coins CHECK (
            coins >= 0 AND frozen_coins BETWEEN 0 AND coins AND owed_coins BETWEEN 0 AND coins
            AND clawed_diamonds >= 0 AND lost_diamonds >= 0)
    )
    """,
    "CREATE INDEX claim_of_payment ON claim (payment)",
    "CREATE INDEX claim_due ON claim (next_at) WHERE state <> wanted",
    # The gifts that a lost claim reached: coins of them were the purchase's, diamonds were taken from their creator.
    """
    CREATE TABLE claim_gift (
        claim text NOT NULL,
        gift bigint NOT NULL,
        coins bigint NOT NULL CONSTRAINT claim_gift_coins CHECK (coins > 0),
        diamonds bigint NOT NULL CONSTRAINT claim_gift_diamonds CHECK (diamonds >= 0),
        CONSTRAINT claim_gift_pkey PRIMARY KEY (claim, gift),
        CONSTRAINT claim_gift_claim_fkey FOREIGN KEY (claim) REFERENCES claim (id),
        CONSTRAINT claim_gift_gift_fkey FOREIGN KEY (gift) REFERENCES transfer (id)
    )
    """,
    "CREATE INDEX claim_gift_gift ON claim_gift (gift)",
)


def upgrade() -> None:
    """Add tables, a column and accounts; the rules of accounts and credits are proved anew, which reads them once."""
    for statement in STATEMENTS:
        op.execute(statement)

"""Tables of payouts to creators; `tables.py` has those of the ledger, and the metadata of all."""

from collections.abc import Iterable

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

from giftserver.durable.tables import metadata
from giftserver.recharge.payout_states import OPEN, PayoutState


def _among(states: Iterable[PayoutState]) -> str:
    return ", ".join(f"'{state}'" for state in PayoutState if state in states)


# Where a creator is paid out to: personal data. The newest of a person is the one that counts; none is ever changed.
payout_account = Table(
    "payout_account",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("user_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("set_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("id", name="payout_account_pkey"),
    CheckConstraint("user_id <> '' AND provider <> ''", name="payout_account_named"),
    CheckConstraint("length(address) BETWEEN 1 AND 254", name="payout_account_address"),
)
Index("payout_account_user", payout_account.c.user_id, payout_account.c.id)

payout = Table(
    "payout",
    metadata,
    Column("id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request_hash", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("account", BigInteger, ForeignKey("payout_account.id", name="payout_account_fkey"), nullable=False),
    Column("diamonds", BigInteger, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("rate_version", Integer, nullable=False),
    Column("state", Text, nullable=False, server_default="requested"),
    Column("provider_ref", Text),
    Column("reason", Text),  # why it failed, came back, or was voided
    Column("review", Text),  # why a person has to look at it
    Column("ask_at", DateTime(timezone=True), server_default=func.now()),  # when it is looked at next; null: no more
    Column("tries", Integer, nullable=False, server_default="0"),  # looks since it is sending
    Column("sent_at", DateTime(timezone=True)),  # when it became sending
    Column("paid_at", DateTime(timezone=True)),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("id", name="payout_pkey"),
    UniqueConstraint("user_id", "key", name="payout_key"),
    CheckConstraint("id ~ '^out_[0-9a-f]{32}$'", name="payout_id"),
    CheckConstraint("user_id <> ''", name="payout_user"),
    CheckConstraint("diamonds BETWEEN 1 AND 1000000000000", name="payout_diamonds"),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="payout_amount"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payout_currency"),
    CheckConstraint(f"state IN ({_among(PayoutState)})", name="payout_state"),
    CheckConstraint(f"state NOT IN ({_among(OPEN)}) OR ask_at IS NOT NULL", name="payout_asked"),
    CheckConstraint(
        "state NOT IN ('sending', 'paid', 'failed', 'returned') OR sent_at IS NOT NULL", name="payout_sent"
    ),
    CheckConstraint("(state IN ('paid', 'returned')) = (paid_at IS NOT NULL)", name="payout_paid"),
)
Index("payout_user_created", payout.c.user_id, payout.c.created_at)
Index("payout_due", payout.c.ask_at, postgresql_where=payout.c.ask_at.is_not(None))
Index("payout_review", payout.c.id, postgresql_where=payout.c.review.is_not(None))
Index("payout_sending", payout.c.sent_at, postgresql_where=text("state = 'sending'"))
Index("payout_provider_created", payout.c.provider, payout.c.created_at)

# What happened to a payout, in order; `source` says who told.
payout_step = Table(
    "payout_step",
    metadata,
    Column("payout", Text, ForeignKey("payout.id", name="payout_step_payout_fkey"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("payout", "n", name="payout_step_pkey"),
)

# Why nothing is paid out, from when until when. `unknown`: payouts that a provider knows and this database never sent.
payout_stop = Table(
    "payout_stop",
    metadata,
    Column("id", BigInteger, Identity(always=True), nullable=False),
    Column("reason", Text, nullable=False),
    Column("unknown", ARRAY(Text), nullable=False, server_default=text("'{}'")),
    Column("placed_by", Text, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    Column("lifted_by", Text),
    Column("lifted_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("id", name="payout_stop_pkey"),
    CheckConstraint("reason <> ''", name="payout_stop_reason"),
    CheckConstraint("placed_by <> ''", name="payout_stop_placed"),
    CheckConstraint("(lifted_by IS NULL) = (lifted_at IS NULL)", name="payout_stop_lifted"),
)
Index("payout_stop_in_force", payout_stop.c.id, postgresql_where=payout_stop.c.lifted_at.is_(None))

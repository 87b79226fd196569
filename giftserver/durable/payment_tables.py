"""Tables of payments and prices; `tables.py` has those of the ledger, and the metadata of all."""

from sqlalchemy import (
    BigInteger,
    Boolean,
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
from giftserver.recharge.states import OPEN, State


def _among(states: object) -> str:
    return ", ".join(f"'{state}'" for state in State if states is None or state in states)  # type: ignore[operator]


payment = Table(
    "payment",
    metadata,
    Column("id", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("request_hash", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("provider_ref", Text),
    Column("checkout_url", Text),
    Column("method", Text),
    Column("state", Text, nullable=False, server_default="created"),
    Column("coins", BigInteger, nullable=False),  # that are paid for
    Column("bonus_coins", BigInteger, nullable=False, server_default="0"),
    Column("pack", Text),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("price_version", Integer, nullable=False),
    Column("promotion", Text),
    Column("promotion_held", Boolean, nullable=False, server_default=text("false")),
    Column("first_purchase", Boolean, nullable=False, server_default=text("false")),  # only of such a promotion
    Column("promotion_uses_max", BigInteger),  # by all people together, as it was when this was ordered
    Column("decline", Text),
    Column("review", Text),  # why a person has to look at it
    Column("transfer", BigInteger, ForeignKey("transfer.id", name="payment_transfer_fkey")),
    Column("expires_at", DateTime(timezone=True), nullable=False),
    Column("asked_at", DateTime(timezone=True)),
    Column("ask_again_at", DateTime(timezone=True)),  # of credited ones: disputes come weeks later
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("id", name="payment_pkey"),
    UniqueConstraint("user_id", "key", name="payment_key"),
    UniqueConstraint("provider", "provider_ref", name="payment_provider_ref"),
    UniqueConstraint("transfer", name="payment_transfer"),
    CheckConstraint("user_id <> ''", name="payment_user"),
    CheckConstraint("coins BETWEEN 1 AND 1000000000000", name="payment_coins"),
    CheckConstraint("bonus_coins BETWEEN 0 AND 1000000000000", name="payment_bonus"),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="payment_amount"),
    CheckConstraint("currency ~ '^[A-Z]{3}$'", name="payment_currency"),
    CheckConstraint(f"state IN ({_among(None)})", name="payment_state"),
    CheckConstraint("state <> 'credited' OR transfer IS NOT NULL", name="payment_credited"),
    CheckConstraint(
        "promotion IS NOT NULL OR NOT promotion_held AND bonus_coins = 0",
        name="payment_promotion",
    ),
)
Index("payment_user_created", payment.c.user_id, payment.c.created_at)
Index("payment_open", payment.c.updated_at, postgresql_where=text(f"state IN ({_among(OPEN)})"))
Index(
    "payment_promotion_once",
    payment.c.user_id,
    payment.c.promotion,
    unique=True,
    postgresql_where=payment.c.promotion_held,
)
Index(
    "payment_first_purchase_once",
    payment.c.user_id,
    unique=True,
    postgresql_where=payment.c.promotion_held & payment.c.first_purchase,
)
Index("payment_ask_again", payment.c.ask_again_at, postgresql_where=payment.c.ask_again_at.is_not(None))
Index("payment_promotion_uses", payment.c.promotion, postgresql_where=payment.c.promotion_held)

# What happened to a payment, in order; `source` says who told.
payment_step = Table(
    "payment_step",
    metadata,
    Column("payment", Text, ForeignKey("payment.id", name="payment_step_payment_fkey"), nullable=False),
    Column("n", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("detail", Text, nullable=False, server_default=""),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.clock_timestamp()),
    PrimaryKeyConstraint("payment", "n", name="payment_step_pkey"),
)

# What providers told us, each event once; `outcome` is null until it was looked at.
provider_event = Table(
    "provider_event",
    metadata,
    Column("provider", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("provider_ref", Text, nullable=False),
    Column("payment", Text, nullable=False, server_default=""),
    Column("outcome", Text),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("next_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("received_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("provider", "id", name="provider_event_pkey"),
)
Index(
    "provider_event_pending",
    provider_event.c.next_at,
    postgresql_where=provider_event.c.outcome.is_(None),
)

# Price lists as operators proposed them; one is in force once a second person approved it.
price_list = Table(
    "price_list",
    metadata,
    Column("version", Integer, Identity(always=True), nullable=False),
    Column("body", Text, nullable=False),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("approved_by", Text),
    Column("approved_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("version", name="price_list_pkey"),
    CheckConstraint("approved_by <> proposed_by", name="price_list_two_persons"),
    CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="price_list_approved"),
)

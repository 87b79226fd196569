"""Tables of claims and of wallets on hold; `tables.py` has the metadata of all."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    PrimaryKeyConstraint,
    Table,
    Text,
    func,
    text,
)

from giftserver.durable.tables import metadata

# Whether a wallet is on hold, by number: Redis takes the newest.
wallet_state = Table(
    "wallet_state",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("held", Boolean, nullable=False),
    Column("applied_number", BigInteger, nullable=False, server_default="0"),
    PrimaryKeyConstraint("user_id", name="wallet_state_pkey"),
)
Index("wallet_state_pending", wallet_state.c.user_id, postgresql_where=text("applied_number < number"))

# Why: a wallet is on hold as long as one of these is not released.
wallet_hold = Table(
    "wallet_hold",
    metadata,
    Column("reference", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("released_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("reference", name="wallet_hold_pkey"),
    CheckConstraint("reason <> ''", name="wallet_hold_reason"),
)
Index("wallet_hold_user", wallet_hold.c.user_id, postgresql_where=wallet_hold.c.released_at.is_(None))

# Money of a payment that goes back, or may: `wanted` is what is true at the provider, `state` what is booked here.
claim = Table(
    "claim",
    metadata,
    Column("id", Text, nullable=False),
    Column("payment", Text, ForeignKey("payment.id", name="claim_payment_fkey"), nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("amount_minor", BigInteger, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("coins", BigInteger, nullable=False, server_default="0"),  # that were bought with the amount
    Column("frozen_coins", BigInteger, nullable=False, server_default="0"),  # of them, not spent
    Column("owed_coins", BigInteger, nullable=False, server_default="0"),  # of them, spent, once it is lost
    Column("repaid_coins", BigInteger, nullable=False, server_default="0"),  # of the owed ones, paid for later
    Column("clawed_diamonds", BigInteger, nullable=False, server_default="0"),
    Column("lost_diamonds", BigInteger, nullable=False, server_default="0"),  # creators keep them: the platform's loss
    Column("opened_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("next_at", DateTime(timezone=True), nullable=False, server_default=func.now()),  # not looked at before
    PrimaryKeyConstraint("id", name="claim_pkey"),
    CheckConstraint("kind IN ('dispute', 'refund')", name="claim_kind"),
    CheckConstraint("amount_minor BETWEEN 1 AND 1000000000000", name="claim_amount"),
    CheckConstraint("wanted IN ('warning', 'open', 'won', 'lost')", name="claim_wanted"),
    CheckConstraint("state IN ('waiting', 'holding', 'frozen', 'won', 'lost')", name="claim_state"),
    CheckConstraint(
        "coins >= 0 AND frozen_coins BETWEEN 0 AND coins AND owed_coins BETWEEN 0 AND coins "
        "AND clawed_diamonds >= 0 AND lost_diamonds >= 0",
        name="claim_coins",
    ),
    CheckConstraint("repaid_coins BETWEEN 0 AND owed_coins", name="claim_repaid"),
)
Index("claim_of_payment", claim.c.payment)
Index("claim_dispute_opened", claim.c.opened_at, postgresql_where=text("kind = 'dispute'"))
Index("claim_due", claim.c.next_at, postgresql_where=text("state <> wanted"))

# The gifts that a lost claim reached: coins of them were the purchase's, diamonds were taken from their creator.
claim_gift = Table(
    "claim_gift",
    metadata,
    Column("claim", Text, ForeignKey("claim.id", name="claim_gift_claim_fkey"), nullable=False),
    Column("gift", BigInteger, ForeignKey("transfer.id", name="claim_gift_gift_fkey"), nullable=False),
    Column("coins", BigInteger, nullable=False),
    Column("diamonds", BigInteger, nullable=False),
    PrimaryKeyConstraint("claim", "gift", name="claim_gift_pkey"),
    CheckConstraint("coins > 0", name="claim_gift_coins"),
    CheckConstraint("diamonds >= 0", name="claim_gift_diamonds"),
)
Index("claim_gift_gift", claim_gift.c.gift)

"""Tables of the durable ledger, as SQLAlchemy Core metadata; those of payments are in
`payment_tables.py`, `claim_tables.py` and `limit_tables.py`, those of payouts in `payout_tables.py`, those of cases in
`case_tables.py`, those of rules in `rule_tables.py`.

The migrations create them, with their triggers; a test holds the two together. Times are timestamptz, amounts are
whole coins or diamonds.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)

SCHEMA_REVISION: Final = "0016"
"""Newest migration; a process serves only a database that is at it."""

COINS_SOLD: Final = 1
"""Account that all coins come from; its balance is minus the coins ever credited."""

GIFTS_SPENT: Final = 2
"""Account that takes the coins of every gift."""

DIAMONDS_ISSUED: Final = 3
"""Account that the diamonds of every gift come from; its balance is minus the diamonds ever earned."""

PROMOTIONS: Final = 4
"""Account that bonus coins come from; its balance is minus the coins ever given on top of paid ones."""

OWED_TO_PLATFORM: Final = 5
"""Account that owed coins come from; its balance is minus what all people owe."""

ADJUSTMENTS: Final = 6
"""Account of coins that operators gave or took; its balance is minus what they gave more than they took."""

PAID_OUT: Final = 7
"""Account of the diamonds that creators were paid money for."""

FIRST_PERSONAL_ACCOUNT: Final = 1000
"""Accounts below this id belong to the platform and are locked after all others."""

GIFT_ID_MIN: Final = 1 << 55
"""Transfers of gifts have ids from here on, all other kinds below."""


def gift_id(shard: int, epoch: int, seq: int) -> int:
    """Transfer id of a gift; within a shard ids grow with the sequence."""
    return (shard + 1) << 55 | epoch << 40 | seq


metadata = MetaData()

account = Table(
    "account",
    metadata,
    Column("id", BigInteger, Identity(start=FIRST_PERSONAL_ACCOUNT), primary_key=True),
    Column("kind", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("asset", Text, nullable=False),
    Column("balance", BigInteger, nullable=False, server_default="0"),
    Column("version", BigInteger, nullable=False, server_default="0"),  # entries posted so far
    UniqueConstraint("kind", "owner", "asset", name="account_name"),
    CheckConstraint("owner <> ''", name="account_owner"),
    CheckConstraint(
        "(kind, asset) IN (('wallet', 'coins'), ('earnings', 'diamonds'), ('coins_sold', 'coins'), "
        "('gifts_spent', 'coins'), ('diamonds_issued', 'diamonds'), ('promotions', 'coins'), "
        "('frozen', 'coins'), ('owed', 'coins'), ('owed_to_platform', 'coins'), ('adjustments', 'coins'), "
        "('payout_held', 'diamonds'), ('paid_out', 'diamonds')) "
        "OR kind IN ('clearing', 'revenue', 'disputed', 'charged_back', 'paid_out') AND asset ~ '^[A-Z]{3}$'",
        name="account_kind",
    ),
    CheckConstraint(
        "balance >= 0 OR kind IN "
        "('coins_sold', 'diamonds_issued', 'promotions', 'revenue', 'clearing', 'owed_to_platform', 'adjustments')",
        name="account_not_below_zero",
    ),
    CheckConstraint("balance < 9007199254740992 OR kind = 'gifts_spent'", name="account_balance_limit"),
    CheckConstraint("version >= 0", name="account_version"),
)

transfer_number = text("nextval('transfer_number')")

transfer = Table(
    "transfer",
    metadata,
    Column("id", BigInteger, primary_key=True, server_default=transfer_number, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("shard", SmallInteger),
    Column("epoch", Integer),
    Column("seq", BigInteger),
    Column("sender", Text),
    Column("key", Text),
    Column("request_hash", Text),
    Column("room", Text),
    Column("creator", Text),
    Column("gift", Text),
    Column("quantity", Integer),
    Column("coins", BigInteger, nullable=False),
    Column("diamonds", BigInteger, nullable=False, server_default="0"),
    Column("catalog_version", Integer),
    Column("rate_version", Integer),
    Column("note", Text),
    Column("reference", Text),
    Column("event_at", DateTime(timezone=True), nullable=False),  # when it was decided
    Column("posted_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("reverses", BigInteger, ForeignKey("transfer.id", name="transfer_reverses_fkey")),
    Column("hash", LargeBinary),  # of gifts: this one and all before it in its shard, see giftserver.durable.chain
    UniqueConstraint("sender", "key", name="transfer_sender_key"),
    CheckConstraint("kind = 'gift' OR kind ~ '^[a-z_]{1,32}$'", name="transfer_kind"),
    CheckConstraint("coins BETWEEN 1 AND 1000000000000 OR coins = 0 AND kind LIKE 'payout%'", name="transfer_coins"),
    CheckConstraint("diamonds BETWEEN 0 AND 1000000000000", name="transfer_diamonds"),
    CheckConstraint(
        "CASE WHEN kind = 'gift' THEN "
        "num_nulls(shard, epoch, seq, sender, key, request_hash, room, creator, gift, quantity, "
        "catalog_version, rate_version, note) = 0 AND quantity > 0 AND sender <> creator AND reverses IS NULL "
        f"ELSE id < {GIFT_ID_MIN} AND num_nonnulls(shard, epoch, seq) = 0 END",
        name="transfer_gift_complete",
    ),
    # With the primary key this makes (shard, epoch, seq) unique without an index of its own.
    CheckConstraint(
        "kind <> 'gift' OR (shard BETWEEN 0 AND 15 AND epoch BETWEEN 1 AND 32767 AND seq BETWEEN 1 AND 1099511627775 "
        "AND id = ((shard + 1)::bigint << 55) + (epoch::bigint << 40) + seq)",
        name="transfer_gift_number",
    ),
    CheckConstraint(
        "kind <> 'refund' OR num_nulls(reverses, sender, room, creator, gift, quantity, reference) = 0",
        name="transfer_refund_complete",
    ),
)
Index(
    "transfer_reference",
    transfer.c.reference,
    unique=True,
    postgresql_where=transfer.c.reference.is_not(None),
)
Index("transfer_reverses", transfer.c.reverses, unique=True, postgresql_where=transfer.c.reverses.is_not(None))

# Its foreign keys are in the trigger entry_must_balance, which checks a whole statement at once.
entry = Table(
    "entry",
    metadata,
    Column("transfer", BigInteger, nullable=False),
    Column("n", SmallInteger, nullable=False),  # 1, 2, … within the transfer
    Column("account", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),  # the account's, after this entry
    Column("amount", BigInteger, nullable=False),
    Column("balance_after", BigInteger, nullable=False),
    PrimaryKeyConstraint("transfer", "n", name="entry_pkey"),
    UniqueConstraint("account", "version", name="entry_account_version"),
    CheckConstraint("amount <> 0", name="entry_amount"),
    CheckConstraint("n > 0 AND version > 0", name="entry_numbers"),
)

flush_cursor = Table(
    "flush_cursor",
    metadata,
    Column("shard", SmallInteger, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False, server_default="0"),
    Column("seq", BigInteger, nullable=False, server_default="0"),
    Column("chain", LargeBinary, nullable=False, server_default=text(r"'\x'")),  # hash of that gift, or empty
    CheckConstraint("shard BETWEEN 0 AND 15", name="flush_cursor_shard"),
)

# Every epoch a shard was ever opened with, written before the shard opens.
ledger_epoch = Table(
    "ledger_epoch",
    metadata,
    Column("shard", SmallInteger, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("run", Text, nullable=False),  # run_id of the Redis it was opened in
    Column("verdict", Text, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("opened_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("note", Text, nullable=False, server_default=""),
    PrimaryKeyConstraint("shard", "epoch", name="ledger_epoch_pkey"),
)

credit_outbox = Table(
    "credit_outbox",
    metadata,
    Column("user_id", Text, nullable=False),
    Column("credit_no", BigInteger, nullable=False),
    Column("transfer", BigInteger, ForeignKey("transfer.id", name="credit_outbox_transfer_fkey"), nullable=False),
    Column("coins", BigInteger, nullable=False),
    Column("applied_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("user_id", "credit_no", name="credit_outbox_pkey"),
    UniqueConstraint("transfer", name="credit_outbox_transfer"),
    CheckConstraint("credit_no > 0", name="credit_outbox_credit_no"),
    CheckConstraint("coins <> 0 AND coins BETWEEN -1000000000000 AND 1000000000000", name="credit_outbox_coins"),
)
Index("credit_outbox_pending", credit_outbox.c.transfer, postgresql_where=credit_outbox.c.applied_at.is_(None))

# Gifts to take back; `refund` is the transfer that did it.
refund_due = Table(
    "refund_due",
    metadata,
    Column("gift", BigInteger, ForeignKey("transfer.id", name="refund_due_gift_fkey"), nullable=False),
    Column("reason", Text, nullable=False),
    Column("refund", BigInteger, ForeignKey("transfer.id", name="refund_due_refund_fkey")),
    Column("asked_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("gift", name="refund_due_pkey"),
    UniqueConstraint("refund", name="refund_due_refund"),
    CheckConstraint("reason <> ''", name="refund_due_reason"),
)
Index("refund_due_pending", refund_due.c.gift, postgresql_where=refund_due.c.refund.is_(None))

# Sums over gift transfers, kept by the flush in its own transaction, and of those given back, under the day of the
# gift; verify compares them.
gift_day = Table(
    "gift_day",
    metadata,
    Column("creator", Text, nullable=False),
    Column("day", Date, nullable=False),  # UTC day of event_at
    Column("room", Text, nullable=False),
    Column("shard", SmallInteger, nullable=False),
    Column("gifts", BigInteger, nullable=False),
    Column("coins", BigInteger, nullable=False),
    Column("diamonds", BigInteger, nullable=False),
    Column("refunded_gifts", BigInteger, nullable=False, server_default="0"),
    Column("refunded_coins", BigInteger, nullable=False, server_default="0"),
    Column("refunded_diamonds", BigInteger, nullable=False, server_default="0"),
    Column("clawed_diamonds", BigInteger, nullable=False, server_default="0"),  # of paid-back purchases
    PrimaryKeyConstraint("creator", "day", "room", "shard", name="gift_day_pkey"),
    Index("gift_day_room", "room"),
    Index("gift_day_shard", "shard"),
)

room = Table(
    "room",
    metadata,
    Column("id", Text, primary_key=True),
    Column("creator", Text, nullable=False),
    Column("creator_name", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("live", Boolean, nullable=False, server_default=text("false")),
    Column("stream_url", Text),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    CheckConstraint("id <> '' AND creator <> ''", name="room_named"),
    Index("room_creator", "creator"),
)

# When a room was closed, by the clock of the ledger's Redis, which is also that of every gift. `closed_ms` is null
# until that clock was asked, `opened_ms` until the room opens again.
room_closing = Table(
    "room_closing",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("room", Text, ForeignKey("room.id", name="room_closing_room_fkey"), nullable=False),
    Column("closed_ms", BigInteger),
    Column("opened_ms", BigInteger),
    Index("room_closing_room", "room", "opened_ms"),
)
Index("room_closing_now", room_closing.c.room, unique=True, postgresql_where=room_closing.c.opened_ms.is_(None))
Index("room_closing_unknown", room_closing.c.id, postgresql_where=room_closing.c.closed_ms.is_(None))

overlay = Table(
    "overlay",
    metadata,
    Column("room", Text, ForeignKey("room.id", name="overlay_room_fkey"), primary_key=True),
    Column("version", Integer, nullable=False),
    CheckConstraint("version > 0", name="overlay_version"),
)

GUARDS: Final = {
    "account": ("account_keeps_its_name",),
    "transfer": ("transfer_insert_only",),
    "entry": ("entry_insert_only", "entry_must_balance"),
    "ledger_epoch": ("ledger_epoch_insert_only",),
    "payment": ("payment_keeps_its_terms",),
    "payment_step": ("payment_step_insert_only",),
    "payment_review": ("payment_review_insert_only",),
    "payout": ("payout_keeps_its_terms", "payout_goes_forward"),
    "payout_step": ("payout_step_insert_only",),
    "payout_account": ("payout_account_insert_only",),
    "payout_stop": ("payout_stop_keeps_its_reason", "payout_stop_lifted_once"),
    "price_list": ("price_list_keeps_its_body",),
    "claim": ("claim_keeps_its_terms", "claim_keeps_its_amount"),
    "wallet_hold": ("wallet_hold_keeps_its_reason", "wallet_hold_released_once"),
    "live_ban": ("live_ban_keeps_its_reason", "live_ban_lifted_once"),
    "session_end": ("session_end_keeps_its_person", "session_end_only_grows"),
    "limit_change": ("limit_change_stays",),
    "guardian_link": ("guardian_link_keeps_its_people", "guardian_link_ended_once"),
    "audit_log": ("audit_log_insert_only",),
    "audit_head": ("audit_head_stays",),
    "case_file": ("case_file_keeps_its_subject",),
    "report": ("report_insert_only",),
    "adjustment": ("adjustment_keeps_its_terms", "adjustment_decided_once", "adjustment_of_somebody_else"),
}
"""Triggers by table that hold the ledger's rules; verify checks that each is there and enabled."""

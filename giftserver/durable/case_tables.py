"""Tables of the audit log, of cases, bans and reports, and of adjustments; `tables.py` has the metadata of all."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from giftserver.durable.tables import metadata

# What was done by operators, one row after the other; `hash` covers the row and the one before it.
audit_log = Table(
    "audit_log",
    metadata,
    Column("id", BigInteger, nullable=False, autoincrement=False),  # 1, 2, … without a hole
    Column("at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("role", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("details", JSONB, nullable=False, server_default=text("'{}'")),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("id", name="audit_log_pkey"),
    CheckConstraint("action ~ '^[a-z_]{1,32}$'", name="audit_log_action"),
    CheckConstraint("length(hash) = 32", name="audit_log_hash"),
    CheckConstraint("actor <> '' AND role <> '' AND subject_kind <> '' AND subject_id <> ''", name="audit_log_named"),
)
Index("audit_log_subject", audit_log.c.subject_id, audit_log.c.id)
Index("audit_log_actor", audit_log.c.actor, audit_log.c.id)

# Number and hash of the last row: one row, which whoever writes to the log locks.
audit_head = Table(
    "audit_head",
    metadata,
    Column("one", Boolean, nullable=False, server_default=text("true")),
    Column("last", BigInteger, nullable=False, server_default="0"),
    Column("hash", LargeBinary, nullable=False, server_default=text(r"'\x'")),
    PrimaryKeyConstraint("one", name="audit_head_pkey"),
    CheckConstraint("one", name="audit_head_one"),
)

# Who may not be live, and why; banned is who has a row without `lifted_at`.
live_ban = Table(
    "live_ban",
    metadata,
    Column("reference", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("placed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("lifted_at", DateTime(timezone=True)),
    PrimaryKeyConstraint("reference", name="live_ban_pkey"),
    CheckConstraint("user_id <> '' AND reason <> ''", name="live_ban_named"),
)
Index("live_ban_user", live_ban.c.user_id, postgresql_where=live_ban.c.lifted_at.is_(None))

# Something a person has to decide. `person`: whom a hold or a ban is about. `version` counts its changes.
case_file = Table(
    "case_file",
    metadata,
    Column("id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject_kind", Text, nullable=False),
    Column("subject_id", Text, nullable=False),
    Column("person", Text, nullable=False),
    Column("opened_by", Text, nullable=False),  # a person, or rule:<name>
    Column("reason", Text, nullable=False),
    Column("evidence", JSONB, nullable=False),  # a list: what was known when it was opened, then what rules added
    Column("state", Text, nullable=False, server_default="open"),
    Column("version", Integer, nullable=False, server_default="1"),
    Column("hold_reference", Text, ForeignKey("wallet_hold.reference", name="case_file_hold_fkey")),  # in force
    Column("holds", Integer, nullable=False, server_default="0"),  # ever placed
    Column("ban_reference", Text, ForeignKey("live_ban.reference", name="case_file_ban_fkey")),  # in force
    Column("bans", Integer, nullable=False, server_default="0"),  # ever placed
    Column("outcome", Text),
    Column("closed_by", Text),
    Column("closed_at", DateTime(timezone=True)),
    Column("opened_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("changed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("id", name="case_file_pkey"),
    CheckConstraint("kind IN ('report', 'rule')", name="case_file_kind"),
    CheckConstraint("subject_kind IN ('payment', 'gift', 'user')", name="case_file_subject"),
    CheckConstraint("subject_id <> '' AND person <> '' AND opened_by <> ''", name="case_file_named"),
    CheckConstraint("kind = 'report' OR opened_by LIKE 'rule:%'", name="case_file_rule"),
    CheckConstraint("state IN ('open', 'closed')", name="case_file_state"),
    CheckConstraint("outcome IN ('upheld', 'dismissed', 'resolved')", name="case_file_outcome"),
    CheckConstraint(
        "CASE WHEN state = 'open' THEN num_nonnulls(outcome, closed_by, closed_at) = 0 "
        "ELSE num_nulls(outcome, closed_by, closed_at) = 0 END",
        name="case_file_closed",
    ),
)
Index(
    "case_file_open",
    case_file.c.subject_kind,
    case_file.c.subject_id,
    unique=True,
    postgresql_where=text("state = 'open'"),
)

Index("case_file_of_subject", case_file.c.subject_kind, case_file.c.subject_id)

# What somebody told us; `hold`: they asked for their own wallet to be put on hold.
report = Table(
    "report",
    metadata,
    Column("id", Text, nullable=False),
    Column("case_id", Text, ForeignKey("case_file.id", name="report_case_fkey"), nullable=False),
    Column("reporter", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("hold", Boolean, nullable=False, server_default=text("false")),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("id", name="report_pkey"),
    UniqueConstraint("reporter", "key", name="report_key"),
    CheckConstraint("reporter <> ''", name="report_reporter"),
    CheckConstraint("length(note) <= 1000", name="report_note"),
)
Index("report_reporter_at", report.c.reporter, report.c.at)
Index("report_of_case", report.c.case_id)

# Coins that one operator proposes to give or (below zero) to take, and another one decides about.
adjustment = Table(
    "adjustment",
    metadata,
    Column("id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("user_id", Text, nullable=False),
    Column("coins", BigInteger, nullable=False),
    Column("reason", Text, nullable=False),
    Column("case_id", Text, ForeignKey("case_file.id", name="adjustment_case_fkey")),
    Column("proposed_by", Text, nullable=False),
    Column("proposed_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("state", Text, nullable=False, server_default="proposed"),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("transfer", BigInteger, ForeignKey("transfer.id", name="adjustment_transfer_fkey")),
    PrimaryKeyConstraint("id", name="adjustment_pkey"),
    UniqueConstraint("proposed_by", "key", name="adjustment_key"),
    UniqueConstraint("transfer", name="adjustment_transfer"),
    CheckConstraint("user_id <> ''", name="adjustment_user"),
    CheckConstraint("coins <> 0 AND coins BETWEEN -1000000 AND 1000000", name="adjustment_coins"),
    CheckConstraint("reason <> ''", name="adjustment_reason"),
    CheckConstraint("state IN ('proposed', 'approved', 'rejected')", name="adjustment_state"),
    CheckConstraint("decided_by <> proposed_by", name="adjustment_two_persons"),
    CheckConstraint(
        "CASE WHEN state = 'proposed' THEN num_nonnulls(decided_by, decided_at) = 0 "
        "ELSE num_nulls(decided_by, decided_at) = 0 END",
        name="adjustment_decided",
    ),
    CheckConstraint("(state = 'approved') = (transfer IS NOT NULL)", name="adjustment_booked"),
)
Index("adjustment_of_user", adjustment.c.user_id)
Index("adjustment_of_case", adjustment.c.case_id, postgresql_where=adjustment.c.case_id.is_not(None))

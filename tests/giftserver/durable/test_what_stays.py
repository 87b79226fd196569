"""Claims, holds, bans, guardians and ended sessions: what never changes of them stays, whoever writes."""

import pytest
from sqlalchemy.exc import IntegrityError

from giftserver.durable.audit_log import Actor
from giftserver.durable.session_ends import end_sessions
from giftserver.durable.tables import metadata
from tests.giftserver.durable.orders import hear, order

MAY_CHANGE = {
    "claim": {
        "amount_minor", "wanted", "state", "coins", "frozen_coins", "owed_coins", "repaid_coins", "clawed_diamonds",
        "lost_diamonds", "changed_at", "next_at",
    },
    "wallet_hold": {"released_at"},
    "live_ban": {"lifted_at"},
    "guardian_link": {"ended_at", "ended_by"},
    "session_end": {"before_s", "by_user", "at"},
}  # fmt: skip
KEPT = [
    f"UPDATE {table} SET {column.name} = {'DEFAULT' if column.identity else column.name} WHERE false"
    for table, free in MAY_CHANGE.items()
    for column in metadata.tables[table].columns
    if column.name not in free
]
GONE = [statement for table in MAY_CHANGE for statement in (f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE")]
ONCE = [
    "UPDATE claim SET amount_minor = 998 WHERE id = 'booked'",
    "UPDATE wallet_hold SET released_at = NULL WHERE reference = 'over'",
    "UPDATE wallet_hold SET released_at = now() WHERE reference = 'over'",
    "UPDATE live_ban SET lifted_at = NULL WHERE reference = 'over'",
    "UPDATE guardian_link SET ended_at = NULL WHERE ward = 'kim'",
    "UPDATE guardian_link SET ended_by = 'kim' WHERE ward = 'kim'",
    "UPDATE session_end SET before_s = 99",
]


@pytest.fixture
async def past(book):
    """A ledger with some of everything: what is in force, and what is over."""
    made = await order(book)
    await hear(book, made)
    claims = "INSERT INTO claim (id, payment, kind, amount_minor, wanted, state) VALUES "
    await book.run(
        claims + f"('told', '{made.id}', 'dispute', 999, 'open', 'waiting')",
        claims + f"('booked', '{made.id}', 'dispute', 999, 'open', 'frozen')",
        "INSERT INTO wallet_hold VALUES ('now', 'ana', 'r', now(), NULL), ('over', 'ana', 'r', now(), now())",
        "INSERT INTO live_ban VALUES ('now', 'mira', 'r', now(), NULL), ('over', 'mira', 'r', now(), now())",
        "INSERT INTO guardian_link (ward, guardian, guardian_name, ward_name) VALUES ('ana', 'pia', 'Pia', 'Ana')",
        "INSERT INTO guardian_link (ward, guardian, guardian_name, ward_name, ended_at, ended_by) "
        "VALUES ('kim', 'pia', 'Pia', 'Kim', now(), 'pia')",
    )
    await end_sessions(book.engine, "ana", 100, Actor("ana", "viewer"))
    return book


@pytest.mark.parametrize("statement", [*KEPT, *GONE, *ONCE])
async def test_it_stays(past, statement):
    """No column but those that move, no row, and nothing that is over begins anew; nor do void tokens count again."""
    before = {table: await past.rows(f"SELECT * FROM {table}") for table in MAY_CHANGE}
    with pytest.raises(IntegrityError, match="the ledger is insert-only"):
        await past.run(statement)
    assert {table: await past.rows(f"SELECT * FROM {table}") for table in MAY_CHANGE} == before


async def test_what_moves_moves(past):
    """An amount before anything is booked, the end of a hold, a ban and a guardian, and a later end of sessions."""
    await past.run(
        "UPDATE claim SET amount_minor = 500 WHERE id = 'told'",
        "UPDATE claim SET wanted = 'won', state = 'won' WHERE id = 'booked'",
        "UPDATE wallet_hold SET released_at = now() WHERE released_at IS NULL",
        "UPDATE live_ban SET lifted_at = now() WHERE lifted_at IS NULL",
        "UPDATE guardian_link SET ended_at = now(), ended_by = 'ana' WHERE ended_at IS NULL",
    )
    for before_s, ends_s in ((200, 200), (150, 200)):
        assert await end_sessions(past.engine, "ana", before_s, Actor("ana", "viewer")) == ends_s

"""Bugs in what the database keeps as it was written."""

from tests.torture.seeded.bug import Bug, bug

RULES = "giftserver/durable/migrations/versions/r0015_what_stays.py"
TEST = "tests/giftserver/durable/test_what_stays.py::test_it_stays"

BUGS: tuple[Bug, ...] = (
    bug("a claim is about another payment", RULES, '"id, payment, kind, reason, opened_at"', '"id, opened_at"', TEST),
    bug("a hold is another person's", RULES, '_reason", "reference, user_id, reason, placed_at"),\n    "live_ban',
        '_reason", "reference, reason, placed_at"),\n    "live_ban', TEST),
    bug("a guardian is another person", RULES, "id, ward, guardian, guardian_name,", "id, ward, guardian_name,", TEST),
    bug("holds and claims are deleted", RULES, " OR DELETE OR TRUNCATE ON {table}", " ON {table}", TEST),
    bug("a booked claim has another amount", RULES, "OLD.state <> 'waiting' AND", "false AND", TEST),
    bug(
        "a hold that ended begins again", RULES, "OLD.released_at IS NOT NULL AND (NEW", "false AND (NEW", TEST,
    ),
    bug("a ban that ended begins again", RULES, '"OLD.lifted_at IS NOT NULL"', '"false"', TEST),
    bug("a guardian that ended begins again", RULES, '"OLD.ended_at IS NOT NULL"', '"false"', TEST),
    bug("ended sessions begin again", RULES, '"NEW.before_s < OLD.before_s"', '"false"', TEST),
)  # fmt: skip

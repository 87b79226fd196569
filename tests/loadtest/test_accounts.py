"""How the lines of several processes become one account."""

from typing import Any

from loadtest.accounts import Accounts, put_together
from loadtest.checks import check_replies, check_viewers


def run(*lines: dict[str, Any]) -> Accounts:
    """The account of these lines."""
    return put_together(lines)


def test_an_answer_may_come_before_its_question() -> None:
    """Lines of two processes come in any order."""
    accounts = run(
        {"kind": "acknowledged", "user": "ana", "key": "k", "transfer": "07-1-1", "coins": 3},
        {"kind": "sent", "user": "ana", "key": "k", "gift": "rose", "quantity": 1, "coins": 3},
    )
    [told] = accounts.keys.values()
    assert (told.sent, told.coins, told.replies, told.open) == (1, 3, [("07-1-1", 3)], False)
    assert check_replies(accounts).wrong == []


def test_the_same_key_of_two_people_is_two_keys() -> None:
    """Keys belong to their sender."""
    sent = {"kind": "sent", "key": "k", "gift": "rose", "quantity": 1, "coins": 3}
    assert len(run({**sent, "user": "ana"}, {**sent, "user": "ben"}).keys) == 2


def test_the_same_receipt_twice_is_one_outcome() -> None:
    """A resent key gets the same receipt, and that is right."""
    line = {"kind": "acknowledged", "user": "ana", "key": "k", "transfer": "07-1-1", "coins": 3}
    sent = {"kind": "sent", "user": "ana", "key": "k", "gift": "rose", "quantity": 1, "coins": 3}
    assert check_replies(run(sent, line, line)).wrong == []


def test_spans_are_half_open() -> None:
    """A span is what came after its first offset, up to its last; two readers of the history count once."""
    history = {"kind": "history", "epoch": "e", "gifts": [[1, 10], [2, 20], [4, 40]]}
    watched = {"kind": "watched", "viewer": "v", "epoch": "e", "after": 1, "until": 4, "coins": 60}
    assert check_viewers(run(history, history, watched)).wrong == []
    assert len(check_viewers(run(history, {**watched, "after": 0})).wrong) == 1
    assert len(check_viewers(run(history, {**watched, "epoch": "f"})).wrong) == 1

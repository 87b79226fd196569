"""Every case of Redis against PostgreSQL, judged."""

from dataclasses import replace

import pytest

from giftserver.durable.epochs import ShardBook
from giftserver.durable.intake import Cursor
from giftserver.ledger import keys
from giftserver.recovery.verdict import REPLAYING, Action, judge
from giftserver.recovery.view import ShardView

META = {
    "epoch": "3", "state": "open", "seq": "50", "flushed": "40", "run": "r1", "schema": str(keys.SCHEMA),
    "lease_ms": "105000",
}  # fmt: skip
VIEW = ShardView("r1", META, has_events=True, whole=True, now_ms=100_000, name=("ana", "k40"))
BOOK = ShardBook(Cursor(3, 40), ("ana", "k40"), epoch_max=3)


def meta(**changes: str) -> ShardView:
    return replace(VIEW, meta=META | changes)


@pytest.mark.parametrize(
    ("view", "book", "flushed", "action", "words"),
    [
        (VIEW, BOOK, 40, Action.KEEP, "open"),
        (replace(VIEW, run="r2"), BOOK, 40, Action.REOPEN, "restarted"),
        (meta(lease_ms="165001"), BOOK, 40, Action.REPLAY, "clock went back"),
        (meta(lease_ms="165000"), BOOK, 40, Action.KEEP, "open"),
        (meta(state="fenced"), BOOK, 40, Action.REOPEN, "left fenced"),
        (VIEW, replace(BOOK, epoch_max=4), 40, Action.REOPEN, "recorded and not opened"),
        (replace(VIEW, name=None), BOOK, 40, Action.KEEP, "open"),
        (meta(seq="39"), BOOK, 39, Action.REBUILD, "lost gifts 40 … 40"),
        (replace(VIEW, meta=None, has_events=False), BOOK, 0, Action.REBUILD, "empty"),
        (replace(VIEW, meta=None, has_events=False), ShardBook(Cursor(0, 0), None, 0), 0, Action.REBUILD, "new"),
        (VIEW, BOOK, 45, Action.REPLAY, "it was at 45"),
        (meta(state=REPLAYING), BOOK, 40, Action.REPLAY, "at 3-40 of 50"),
        (meta(state=REPLAYING, seq="40"), BOOK, 40, Action.REBUILD, "everything that the stream has"),
        (replace(VIEW, whole=False), BOOK, 40, Action.STOP, "missing in the stream"),
        (replace(VIEW, whole=False), BOOK, 45, Action.STOP, "missing in the stream"),
        (replace(VIEW, name=("ben", "k40")), BOOK, 40, Action.STOP, "another one"),
        (replace(VIEW, meta=None), BOOK, 0, Action.STOP, "does not know"),
        (meta(schema="99"), BOOK, 40, Action.STOP, "version 99"),
        (meta(schema="0"), BOOK, 40, Action.STOP, "version 0"),
        (meta(schema="0", seq="40"), BOOK, 40, Action.REBUILD, "version 0, and PostgreSQL has all"),
    ],
)
def test_each_case(view: ShardView, book: ShardBook, flushed: int, action: Action, words: str) -> None:
    """One action and a sentence that says why."""
    verdict = judge(view, book, flushed)
    assert verdict.action is action
    assert words in verdict.reason

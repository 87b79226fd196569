"""A ledger in which people buy and give at any moment, and the rules that look into it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from giftserver.metrics import Metrics
from giftserver.recharge.provider import DisputeNews
from giftserver.recharge.states import State
from giftserver.rules.keeper import RuleKeeper
from tests.giftserver.durable.conftest import Book
from tests.giftserver.durable.conftest import book as book
from tests.giftserver.durable.orders import hear, order
from tests.giftserver.rules.moments import key_of


class Street:
    """People, what they do, and what the rules find of it; `ago` is before `now`."""

    def __init__(self, book: Book) -> None:
        self.book, self.metrics = book, Metrics()
        self.now = datetime.now(UTC).replace(microsecond=0)  # gifts know milliseconds only

    async def give(self, sender: str, creator: str, coins: int, ago: timedelta = timedelta(), **more: Any) -> None:
        """A gift, booked; a diamond for each coin."""
        at = self.now - ago
        await self.book.fund(sender, coins)
        event = self.book.event(sender, creator=creator, coins=coins, diamonds=coins, key=key_of(at), **more)
        await self.book.append(event, at_ms=int(at.timestamp() * 1_000))
        await self.book.flush()

    async def buy(self, user: str, coins: int, ago: timedelta = timedelta()) -> Any:
        """A paid order; the payment."""
        made = await order(self.book, user, coins=coins, pack=None)
        paid = (await hear(self.book, made)).payment
        await self.move(f"UPDATE transfer SET event_at = '{self.now - ago}' WHERE id = {paid.transfer}")
        return paid

    async def dispute(self, paid: Any, state: str = "open") -> None:
        """The cardholder complains; asked again in another state it is the same dispute."""
        news = DisputeNews(f"dp_{paid.id}", 999, state, "fraudulent")
        await hear(self.book, paid, State.SUCCEEDED, disputes=(news,))

    async def move(self, statement: str) -> None:
        """Change what nobody may change: when something was."""
        await self.book.run(statement, tamper=True)

    def keeper(self, *hold: str, later: timedelta = timedelta()) -> RuleKeeper:
        """The rules, as of `later` than now."""
        return RuleKeeper(self.book.engine, self.metrics, hold, lambda: self.now + later)

    async def found(self, rule: str) -> dict[str, Any]:
        """Facts of this rule by person, from the open cases, after one more round."""
        await self.keeper().step()
        rows = await self.cases()
        return {
            row.subject_id: finding["facts"]
            for row in rows
            for finding in row.evidence
            if row.state == "open" and finding["by"] == f"rule:{rule}"
        }

    async def cases(self) -> list[Any]:
        """Every case, oldest first."""
        return await self.book.rows("SELECT * FROM case_file ORDER BY id")

    def counted(self, rule: str) -> float:
        """What the metric says."""
        return self.metrics.registry.get_sample_value("giftserver_rule_findings_total", {"rule": rule}) or 0.0


@pytest.fixture
def street(book: Book) -> Street:
    """Nobody has done anything yet."""
    return Street(book)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves the time that allowances see, by seconds."""
    now = [1_000.0]
    monkeypatch.setattr("giftserver.rules.addresses.time.monotonic", lambda: now[0])

    def move(seconds: float) -> None:
        now[0] += seconds

    return move

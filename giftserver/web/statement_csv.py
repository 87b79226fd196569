"""A month's statement as CSV (RFC 4180), for spreadsheets and for those who check sums by program."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime, tzinfo
from typing import Final

from giftserver.durable.monthly import MoneyMoved, MonthLine, WalletMonth
from giftserver.recharge.money import decimal

COLUMNS: Final = (
    "record", "at", "kind", "coins", "balance_coins", "gift", "quantity", "room", "creator", "note", "transfer", "key",
    "payment", "currency", "money", "money_minor",
)  # fmt: skip
"""`record`: `opening`, `entry`, `closing`, or `money` for a month's sum in one currency. An entry has the money that
was paid for it. The coins of all entries are the closing balance less the opening one."""

FORMULA: Final = re.compile(r"""(^|[;,\t\r\n])([\s"]*)(?=[=+\-@\uff1d\uff0b\uff0d\uff20](?!\)))""")
"""Where a spreadsheet begins something to run: at the start of a cell, which is also after a semicolon, or whatever
else it splits lines at. The wide signs are those of Chinese and Japanese keyboards; no formula begins with "-)"."""

Cell = str | int | None


def cell(text: str | None) -> str | None:
    """A text that no spreadsheet runs: what looks like a formula gets an apostrophe before it, wherever it stands."""
    return None if text is None else FORMULA.sub(r"\1\2'", text)


async def csv_of(
    found: WalletMonth, money: Sequence[MoneyMoved], pages: AsyncIterator[list[MonthLine]], zone: tzinfo
) -> AsyncIterator[bytes]:
    """The statement in pieces; one that does not end with the closing balance and money was cut off."""
    begins = found.month.begins(zone)
    yield _text([COLUMNS, _row(record="opening", at=_moment(begins, zone), balance_coins=found.opening_coins)])
    last = begins
    async for page in pages:
        last = page[-1].at
        yield _text(_entry(line, zone) for line in page)
    closing = _row(record="closing", at=_moment(last, zone), balance_coins=found.closing_coins)
    yield _text([closing, *(row for moved in money for row in _money(moved))])


def _entry(line: MonthLine, zone: tzinfo) -> list[Cell]:
    return _row(
        record="entry", at=_moment(line.at, zone), kind=cell(line.kind), coins=line.coins,
        balance_coins=line.balance_coins, gift=cell(line.gift), quantity=line.quantity, room=cell(line.room),
        creator=cell(line.creator), note=cell(line.note), transfer=cell(line.transfer), key=cell(line.key),
        payment=cell(line.payment), currency=line.currency, **_amount(line.amount_minor, line.currency),
    )  # fmt: skip


def _money(moved: MoneyMoved) -> Iterable[list[Cell]]:
    amounts = {
        "paid": moved.paid_minor, "refunded": moved.refunded_minor, "disputed": moved.disputed_minor,
        "dispute_won": moved.dispute_won_minor, "dispute_lost": moved.dispute_lost_minor,
    }  # fmt: skip
    for kind, minor in amounts.items():
        if minor:
            yield _row(record="money", kind=kind, currency=moved.currency, **_amount(minor, moved.currency))


def _amount(minor: int | None, currency: str | None) -> dict[str, Cell]:
    if minor is None or currency is None:
        return {}
    return {"money": decimal(minor, currency), "money_minor": minor}


def _row(**cells: Cell) -> list[Cell]:
    return [cells.get(name) for name in COLUMNS]


def _moment(at: datetime, zone: tzinfo) -> str:
    return at.astimezone(zone).isoformat(timespec="milliseconds")


def _text(rows: Iterable[Sequence[Cell]]) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerows(rows)
    return written.getvalue().encode()

"""Statements by month: what a month leaves is what the next begins with, whatever the zone, and as CSV the same."""

import csv
import io
import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable import monthly
from giftserver.durable.bookkeeping import COINS_SOLD, GIFTS_SPENT, Name, wallet
from giftserver.durable.posting import open_accounts, post
from giftserver.durable.tables import gift_id, transfer
from tests.giftserver.conftest import Web, assert_refused

SHARD, EPOCH = 15, 9


@dataclass
class Past:
    """A web process whose book has entries of other days, and who asks it."""

    web: Web
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    async def gave(self, at: str, coins: int, user: str = "ana") -> None:
        """Coins were given to somebody at a moment of UTC."""
        values = {"kind": "grant", "coins": coins, "event_at": moment(at), "reference": f"past:{next(self.numbers)}"}
        async with self.web.engines.database.begin() as connection:
            await open_accounts(connection, [wallet(user)])
            await book(connection, values, [(COINS_SOLD, -coins), (wallet(user), coins)])

    async def sent(self, at: str, coins: int, user: str = "ana", **changes: Any) -> None:
        """Somebody sent a gift at a moment of UTC."""
        seq = next(self.numbers) + 1
        values = {
            "id": gift_id(SHARD, EPOCH, seq), "kind": "gift", "shard": SHARD, "epoch": EPOCH, "seq": seq,
            "key": f"key-{seq}", "sender": user, "request_hash": "abc", "room": "harbour", "creator": "mira",
            "gift": "rose", "quantity": 1, "coins": coins, "catalog_version": 1, "rate_version": 1, "note": "",
            "event_at": moment(at), **changes,
        }  # fmt: skip
        async with self.web.engines.database.begin() as connection:
            await book(connection, values, [(wallet(user), -coins), (GIFTS_SPENT, coins)])

    async def get(self, path: str = "", user: str = "ana", **query: Any) -> Any:
        """The answer below /v1/wallet/statements."""
        headers = self.web.bearer(user)
        return await self.web.http.get(f"/v1/wallet/statements{path}", params=query, headers=headers)

    async def month(self, month: str, **query: Any) -> dict[str, Any]:
        """A statement, whose totals and entries add up."""
        answer = await self.get(f"/{month}", **query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        moved = found["closing_coins"] - found["opening_coins"]
        assert sum(total["coins"] for total in found["totals"]) == moved
        if found["next"] is None and "before" not in query:
            assert sum(entry["amount_coins"] for entry in found["entries"]) == moved
        return found

    async def rows(self, month: str, **query: Any) -> list[dict[str, str]]:
        """The rows of the CSV."""
        answer = await self.get(f"/{month}.csv", **query)
        assert answer.status_code == 200, answer.text
        assert "\r\n" in answer.text
        return list(csv.DictReader(io.StringIO(answer.text, newline=""), strict=True))


def moment(written: str) -> datetime:
    return datetime.fromisoformat(written).replace(tzinfo=UTC)


async def book(connection: AsyncConnection, values: dict[str, Any], amounts: list[tuple[Name, int]]) -> None:
    number = (await connection.execute(insert(transfer).values(values).returning(transfer.c.id))).scalar_one()
    await post(connection, number, amounts)


def amounts(found: dict[str, Any]) -> list[int]:
    """Amounts of the entries, oldest first."""
    return [entry["amount_coins"] for entry in found["entries"]][::-1]


@pytest.fixture
async def past(web: Web) -> Past:
    """Entries around the ends of months, of UTC and of Berlin, in winter and in summer."""
    past = Past(web)
    await past.gave("2026-01-31T23:59:59.999999", 100)
    await past.sent("2026-02-01T00:00:00", 1)
    await past.sent("2026-02-28T22:59:59", 2, creator="noor", quantity=2)
    await past.sent("2026-02-28T23:00:00", 4)  # in Berlin it is March: an hour ahead
    await past.sent("2026-03-31T21:59:59", 8, quantity=8)
    await past.sent("2026-03-31T22:00:00", 16)  # in Berlin it is April: two hours ahead
    await past.gave("2026-05-01T00:00:00", 5)
    await past.gave("2026-03-01T00:00:00", 7, "ben")
    return past


async def test_months_follow_one_another_in_every_zone(past: Past) -> None:
    """Each begins with what the one before left, the last leaves the balance, and edges are those of the zone."""
    listed = {}
    for zone in ("UTC", "Europe/Berlin", "America/New_York"):
        answer = (await past.get(zone=zone)).json()
        listed[zone] = [(one["month"], one["entries"]) for one in answer["months"]]
        left = 0
        for one in reversed(answer["months"]):
            found = await past.month(one["month"], zone=zone)
            assert (found["opening_coins"], found["closing_coins"]) == (left, one["closing_coins"])
            assert one["opening_coins"] == left
            assert len(found["entries"]) == one["entries"]
            left = one["closing_coins"]
        assert left == 74
    assert listed == {
        "UTC": [("2026-05", 1), ("2026-03", 2), ("2026-02", 3), ("2026-01", 1)],
        "Europe/Berlin": [("2026-05", 1), ("2026-04", 1), ("2026-03", 2), ("2026-02", 3)],
        "America/New_York": [("2026-04", 1), ("2026-03", 2), ("2026-02", 2), ("2026-01", 2)],
    }
    assert amounts(await past.month("2026-02")) == [-1, -2, -4]
    assert amounts(await past.month("2026-02", zone="Europe/Berlin")) == [100, -1, -2]
    march = await past.month("2026-03", zone="Europe/Berlin")
    assert amounts(march) == [-4, -8]
    assert march["ends_at_ms"] - march["begins_at_ms"] == (31 * 24 - 1) * 3_600_000


async def test_a_month_has_its_sums(past: Past) -> None:
    """By kind and by creator; a ×8 is eight gifts, and gifts of nobody else are there."""
    march = await past.month("2026-03")
    assert march["totals"] == [{"kind": "gift", "entries": 2, "coins": -24}]
    assert (march["gifts_sent"], march["gifts_returned"], march["money"]) == (9, 0, [])
    assert march["creators"] == [{"creator": "mira", "gifts": 9, "coins": 24}]
    february = await past.month("2026-02")
    assert [one["creator"] for one in february["creators"]] == ["mira", "noor"]
    ben = (await past.get("/2026-03", user="ben")).json()
    assert [entry["amount_coins"] for entry in ben["entries"]] == [7]
    assert (await past.get(user="noor")).json()["months"] == []
    assert (await past.get("/2026-03", user="noor")).json()["closing_coins"] == 0


async def test_a_month_without_entries_has_the_balance_of_before(past: Past) -> None:
    """A quiet month, and one before everything; the month that runs says so, one that has not begun is refused."""
    for month, coins in (("2026-04", 69), ("2025-12", 0)):
        quiet = await past.month(month)
        assert (quiet["opening_coins"], quiet["closing_coins"], quiet["entries"]) == (coins, coins, [])
        assert quiet["so_far"] is False
    await past.web.give_coins("ana", 3)
    now = datetime.now(UTC)
    running = await past.month(f"{now:%Y-%m}")
    assert running["so_far"] is True
    assert [one["so_far"] for one in (await past.get()).json()["months"]] == [True] + [False] * 4
    assert_refused(await past.get(f"/{now.year + 1}-01"), 404, "not_found")


async def test_what_is_booked_late_belongs_to_the_month_that_it_came_in(past: Past) -> None:
    """A gift of April that comes after an entry of May leaves April as it was told, and May adds up."""
    before = await past.month("2026-04")
    await past.sent("2026-04-30T23:59:59", 9)
    assert await past.month("2026-04") == before
    may = await past.month("2026-05")
    assert [entry["balance_coins"] for entry in may["entries"]] == [65, 74]


async def test_pages_of_a_month_miss_nothing(past: Past) -> None:
    """They end with the month's first entry, and reach into no other month."""
    seen, before = [], {}
    for _ in range(3):
        page = await past.month("2026-02", limit=1, **before)
        seen += amounts(page)
        before = {"before": page["next"]}
    assert (seen, page["next"]) == ([-4, -2, -1], None)
    assert amounts(await past.month("2026-02", before=2**53 - 1)) == [-1, -2, -4]
    assert amounts(await past.month("2026-03", before=2)) == []


@pytest.mark.parametrize(
    ("note", "shown"),
    [
        ("thanks;=1+1", "thanks;'=1+1"),
        ('so,=cmd|"/c calc"!A0', 'so,\'=cmd|"/c calc"!A0'),
        ('a;"=1";  @x', "a;\"'=1\";  '@x"),
        ("a;;+1;-1,b", "a;;'+1;'-1,b"),
        ('";=1', "\";'=1"),
        ("\u30ad\u30ea\u756a;\uff1d1", "\u30ad\u30ea\u756a;'\uff1d1"),
        ("see you ;-) a=b; c-d, 1+1, e@f", "see you ;-) a=b; c-d, 1+1, e@f"),
    ],
)
async def test_no_note_runs_in_a_spreadsheet(past: Past, note: str, shown: str) -> None:
    """However lines are split, at commas or at semicolons; what is no formula is left as it was written."""
    await past.sent("2026-05-02T00:00:00", 1, note=note)
    (row,) = [row for row in await past.rows("2026-05") if row["kind"] == "gift"]
    assert row["note"] == shown
    text = (await past.get("/2026-05.csv")).text
    for split in (";", ",", "\t"):
        cells = [cell.strip(' "') for line in text.splitlines() for cell in line.split(split)]
        assert [cell for cell in cells if cell.startswith(tuple("=+@\uff1d"))] == []


async def test_csv_has_the_same(past: Past, monkeypatch: pytest.MonkeyPatch) -> None:
    """Opening, entries in pages, closing; quotes and line breaks survive, and no text is a formula."""
    texts = ["=1+1", "+1", "-1", "@x", 'say "hi", you\r\nthere', "déjà vu"]
    for n, note in enumerate(texts):
        await past.sent(f"2026-05-02T00:00:0{n}", 1, note=note, room="-quay")
    monkeypatch.setattr(monthly.month_lines, "__defaults__", (2,))
    rows = await past.rows("2026-05", zone="Europe/Berlin")
    assert [row["record"] for row in rows] == ["opening", *["entry"] * 7, "closing"]
    entries = rows[1:-1]
    assert [row["note"] for row in entries[1:]] == ["'=1+1", "'+1", "'-1", "'@x", texts[4], texts[5]]
    assert {row["room"] for row in entries[1:]} == {"'-quay"}
    assert [int(row["coins"]) for row in entries] == [5, -1, -1, -1, -1, -1, -1]
    opening, closing = int(rows[0]["balance_coins"]), int(rows[-1]["balance_coins"])
    assert (opening, closing) == (69, 68)
    assert (rows[0]["at"], entries[0]["at"]) == ("2026-05-01T00:00:00.000+02:00", "2026-05-01T02:00:00.000+02:00")
    assert [entry["transfer"] for entry in (await past.month("2026-05"))["entries"]][::-1] == [
        row["transfer"] for row in entries
    ]
    answer = await past.get("/2026-05.csv")
    assert answer.headers["content-type"].startswith("text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="coins-2026-05.csv"'
    quiet = await past.rows("2026-04")
    assert [row["balance_coins"] for row in quiet] == ["69", "69"]


async def test_wrong_months_and_zones_are_refused(past: Past) -> None:
    """With a sentence that says what is right; and statements need a person."""
    for ending in ("", ".csv"):
        for month in ("2026-13", "2026-00", "2026-1", "26-01", "1969-12", "3000-01", "2026-01-01", "x", "٢٠٢٦-٠١"):
            assert "2026-03" in assert_refused(await past.get(f"/{month}{ending}"), 400, "bad_request")["message"]
        for zone in ("Mars/Olympus", "../../etc/passwd", "Europe", "UTC+1", "", "a" * 65, "Europe/Berlin\0"):
            answer = await past.get(f"/2026-03{ending}", zone=zone)
            assert_refused(answer, 400, "bad_request")
    for zone in ("Nowhere", "localtime", "Factory", "posixrules", "posix/Europe/Paris", "../Europe/Paris"):
        assert_refused(await past.get(zone=zone), 400, "bad_request")
    assert_refused(await past.get("/2026-03", limit=201), 400, "bad_request")
    overlay = past.web.bearer("mira", "overlay", room="harbour")
    for path in ("", "/2026-03", "/2026-03.csv"):
        assert_refused(await past.web.http.get(f"/v1/wallet/statements{path}"), 401, "unauthorized")
        refused = await past.web.http.get(f"/v1/wallet/statements{path}", headers=overlay)
        assert_refused(refused, 403, "forbidden")

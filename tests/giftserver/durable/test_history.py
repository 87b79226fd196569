"""Reading the book back."""

from datetime import UTC, datetime

from giftserver.durable.credits import credit
from giftserver.durable.history import GiftTotals, earned_today, gift_by_key, room_totals, wallet_history
from giftserver.ledger import keys

SHARD = keys.shard_of("ana")
NOON_MS = 1_767_268_800_000
DAY = datetime.fromtimestamp(NOON_MS / 1000, UTC).date()


async def test_a_wallets_history_newest_first_with_the_balance_after_each(book):
    """Credits and gifts of one wallet in the order they were posted, with what was left after each."""
    await book.fund("ana", 100)
    await book.append(book.event("ana", coins=30, quantity=3), at_ms=NOON_MS + 7)
    await book.flush()
    await credit(book.engine, "ana", 50, "grant", "sorry")
    page = await wallet_history(book.engine, "ana")
    assert [(line.kind, line.amount_coins, line.balance_coins) for line in page.entries] == [
        ("grant", 50, 120), ("gift", -30, 70), ("top_up", 100, 100),
    ]  # fmt: skip
    gift = page.entries[1]
    assert (gift.transfer, gift.gift, gift.quantity, gift.room, gift.creator, gift.at_ms) == (
        f"{SHARD:02d}-1-1", "rose", 3, "harbour", "mira", NOON_MS + 7,
    )  # fmt: skip
    assert page.next is None


async def test_pages_follow_each_other_without_a_gap_or_repeat(book):
    """Going through pages by `next` shows every line once, also when new lines come in between."""
    await book.fund("ana", 100)
    for _ in range(6):
        await book.gift("ana", coins=1)
    await book.flush()
    seen, before = [], None
    for _ in range(5):
        page = await wallet_history(book.engine, "ana", before, limit=3)
        seen += [line.balance_coins for line in page.entries]
        await credit(book.engine, "ana", 5, "grant", f"between-{len(seen)}")
        before = page.next
        if before is None:
            break
    assert seen == [94, 95, 96, 97, 98, 99, 100]
    assert (await wallet_history(book.engine, "nobody")).entries == []


async def test_a_gift_by_its_key(book):
    """A key finds its gift with the balance it left, for its sender only, once it is flushed."""
    await book.fund("ana", 100)
    await book.gift("ana", key="k1", coins=30, diamonds=15)
    assert await gift_by_key(book.engine, "ana", "k1") is None
    await book.flush()
    gift = await gift_by_key(book.engine, "ana", "k1")
    assert (gift.transfer, gift.coins, gift.diamonds, gift.balance_coins) == (f"{SHARD:02d}-1-1", 30, 15, 70)
    assert await gift_by_key(book.engine, "ben", "k1") is None


async def test_totals_of_a_creators_day_and_of_a_room(book):
    """Sums over gifts, a UTC day for a creator and all time for a room."""
    await book.fund("ana", 100)
    await book.fund("ben", 100)
    await book.append(book.event("ana", coins=10, diamonds=5), at_ms=NOON_MS)
    await book.append(book.event("ben", coins=20, diamonds=10, room="attic"), at_ms=NOON_MS)
    await book.append(book.event("ben", coins=40, diamonds=20), at_ms=NOON_MS + 12 * 3_600_000)
    await book.flush()
    assert await earned_today(book.engine, "mira", DAY) == GiftTotals(2, 30, 15)
    assert await room_totals(book.engine, "harbour") == GiftTotals(2, 50, 25)
    assert await room_totals(book.engine, "nowhere") == GiftTotals(0, 0, 0)

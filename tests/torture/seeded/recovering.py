"""Bugs in coming back after a fault."""

from tests.torture.seeded.bug import COORDINATOR, SAFEGUARDS, bug

COORDINATING = "giftserver/recovery/coordinator.py"
VERDICT = "giftserver/recovery/verdict.py"
UNSETTLED = "giftserver/ledger/unsettled.py"

BUGS = (
    bug(
        "a Redis that lost gifts is opened as it is", VERDICT,
        "    if view.seq < book.cursor.seq:\n", "    if False:\n",
        f"{COORDINATOR}::test_a_redis_that_lost_its_end_is_rebuilt",
    ),
    bug(
        "a gap opens", VERDICT,
        "    if not view.whole:\n", "    if False:\n",
        f"{COORDINATOR}::test_a_gap_stops_the_shard_for_a_person",
    ),
    bug(
        "a PostgreSQL that lost gifts is not noticed", VERDICT,
        "    if flushed > book.cursor.seq:\n", "    if False:\n",
        f"{COORDINATOR}::test_a_restored_postgresql_is_filled_from_the_stream",
    ),
    bug(
        "a shard opens before it is filled again", COORDINATING,
        "await rebuild_shard(self._database, self._redis, found.shard)", "pass",
        f"{COORDINATOR}::test_a_wiped_redis_is_filled_again",
    ),
    bug(
        "an epoch is used twice", COORDINATING,
        "found.book.epoch_max, found.book.cursor.epoch) + 1\n", "found.book.cursor.epoch) + 1\n",
        f"{COORDINATOR}::test_an_epoch_is_used_once",
    ),
    bug(
        "credits that Redis lost do not come again", COORDINATING,
        "            await unmark_credits(self._database, reopened, CREDITS_AGAIN_S)\n", "            pass\n",
        f"{COORDINATOR}::test_a_credit_that_redis_forgot_comes_again",
    ),
    bug(
        "gifts that Redis lost are not sent again", UNSETTLED,
        "            outcome = await send(again)\n",
        "            outcome = older[0].receipt\n",
        f"{COORDINATOR}::test_a_gift_that_redis_lost_is_sent_again",
    ),
    bug(
        "gifts are sent again under new keys", UNSETTLED,
        "replace(older[0].order, key_ms=", "replace(older[0].order, key=older[0].order.key[:-4] + \"0000\", key_ms=",
        f"{SAFEGUARDS}::test_a_gift_that_is_still_there_is_not_charged_again",
    ),
)  # fmt: skip

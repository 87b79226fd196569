"""Bugs in coming back after a fault."""

from tests.torture.seeded.bug import COORDINATOR, SCRIPTS, bug

COORDINATING = "giftserver/recovery/coordinator.py"
VERDICT = "giftserver/recovery/verdict.py"
UNSETTLED = "giftserver/ledger/unsettled.py"
CLOCK = "tests/giftserver/recovery/test_clock.py"
LONG = "tests/torture/test_long_outage.py"

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
        "keys from before a rebuild are charged again", "giftserver/ledger/scripts/send_gifts.lua",
        "  if key_ms <= keys_from and looked ~= epoch_number then return nil, {'KEY_UNSEEN', ''} end\n", "",
        "tests/giftserver/recovery/test_past_keys.py",
    ),
    bug(
        "a look-up of before a rebuild is believed", "giftserver/ledger/scripts/send_gifts.lua",
        "looked ~= epoch_number then", "not looked then",
        "tests/giftserver/recovery/test_past_keys.py::test_a_look_up_counts_in_its_epoch_only",
    ),
    bug(
        "a gift has two receipts while its key is looked up", "giftserver/ledger/ledger.py",
        "past = await self.receipt(order.sender, order.key) or past", "pass",
        "tests/giftserver/recovery/test_past_keys.py::test_a_gift_decided_while_its_key_is_looked_up_has_one_receipt",
    ),
    bug(
        "a rebuilt shard does not know that receipts are gone", COORDINATING,
        "gone = int(found.verdict.action is Action.REBUILD and found.book.cursor.seq > 0)\n", "gone = 0\n",
        "tests/giftserver/recovery/test_past_keys.py",
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
        "            lost.append(gift)\n",
        "            decided.append(gift)\n",
        f"{COORDINATOR}::test_a_gift_that_redis_lost_is_sent_again",
    ),
    bug(
        "gifts of an older epoch are not looked for when newer ones came", UNSETTLED,
        "None if self._gifts[shard] else epoch\n", "epoch\n",
        "tests/giftserver/ledger/test_unsettled.py",
    ),
    bug(
        "gifts that are still there are sent again, under new keys", UNSETTLED,
        "if last is not None and gift.receipt.seq <= last:\n",
        "if gift.order.key.endswith('x'):\n",
        f"{LONG}::test_a_gift_whose_receipt_has_expired_is_not_charged_again",
    ),
    bug(
        "a flush posts what the opening gave up", "giftserver/durable/posting.py",
        "        if await given_up(connection, shard, epoch, seq):\n", "        if False:\n",
        "tests/torture/test_late_flusher.py",
    ),
    bug(
        "a shard opens although a flush came in between", "giftserver/durable/epochs.py",
        '{"shard": opening.shard}) <= opening.seq:\n', '{"shard": opening.shard}) >= 0:\n',
        "tests/giftserver/recovery/test_coordinator.py::test_a_flush_between_judging_and_opening",
    ),
    bug(
        "a late mark hides a credit", "giftserver/worker.py",
        "        if await self._opening_or_none(keys.shard_of(user)) != before:", "        if False:",
        "tests/torture/test_late_mark.py",
    ),
    bug(
        "the run of Redis is not compared in the script", "giftserver/ledger/scripts/send_gifts.lua",
        "  if meta[8] ~= RUN then return {'FENCED', 'run'} end\n", "",
        "tests/cluster/test_failover.py", "tests/giftserver/recovery/test_guarded.py",
    ),
    bug(
        "a renewal counts from when it arrives", "giftserver/ledger/scripts/renew_lease.lua",
        "redis.call('HSET', KEYS[1], 'lease_ms', ARGV[3],",
        "redis.call('HSET', KEYS[1], 'lease_ms', string.format('%.0f', redis.call('TIME')[1] * 1000 + 5000),",
        "tests/giftserver/recovery/test_lease.py::test_a_renewal_that_arrives_late_lengthens_nothing",
    ),
    bug(
        "an opening's lease counts from when it arrives", "giftserver/ledger/scripts/open_shard.lua",
        "'lease_ms', ARGV[7],", "'lease_ms', string.format('%.0f', now_ms + 5000),",
        "tests/giftserver/recovery/test_lease.py::test_an_opening_that_arrives_late_opens_for_nobody",
    ),
    bug(
        "the script does not notice that its clock went back", f"{SCRIPTS}/send_gifts.lua",
        "  if lease_ms > now_ms + LEASE_AHEAD_MAX_MS then return {'CLOCK', ''} end\n", "",
        f"{CLOCK}::test_a_key_whose_receipt_expired_is_not_charged_again",
    ),
    bug(
        "a renewal hides that the clock went back", f"{SCRIPTS}/renew_lease.lua",
        "if tonumber(meta[4]) > now_ms + LEASE_AHEAD_MAX_MS then return 0 end\n", "",
        f"{CLOCK}::test_a_renewal_does_not_hide_it",
    ),
    bug(
        "keys from before the clock went back are not looked up", f"{SCRIPTS}/fence_shard.lua",
        "if lease_ms > now_ms + LEASE_AHEAD_MAX_MS then\n", "if false then\n",
        f"{CLOCK}::test_a_key_whose_receipt_expired_is_not_charged_again",
    ),
    bug(
        "keys that were ahead when the clock went back are not looked up", f"{SCRIPTS}/fence_shard.lua",
        "math.max(keys_from, lease_ms + KEY_AHEAD_MAX_MS)", "math.max(keys_from, lease_ms)",
        f"{CLOCK}::test_a_key_whose_receipt_expired_is_not_charged_again",
    ),
    bug(
        "a room that opened ahead of the clock stays closed", COORDINATING,
        "            if seen[shard].view.clock_went_back:\n", "            if False:\n",
        f"{CLOCK}::test_a_room_that_opened_later_than_now_is_open",
    ),
    bug(
        "a connection that PostgreSQL ended is used", "giftserver/durable/store.py",
        "    if connection.driver_connection.is_closed():\n", "    if False:\n",
        "tests/giftserver/durable/test_store.py::test_connections_that_the_server_ended_are_made_anew",
    ),
)  # fmt: skip

"""Bugs in bringing gifts to PostgreSQL, in credits, and in showing gifts."""

from tests.torture.seeded.bug import CREDITS, FLUSH, REFUNDS, SAFEGUARDS, SCRIPTS, WORKER, Bug, Edit, bug

TRIM = f"{SCRIPTS}/trim_events.lua"
INTAKE = "giftserver/durable/intake.py"
POSTING = "giftserver/durable/posting.py"
FLUSHING = "giftserver/durable/flush.py"
CREDITING = "giftserver/durable/credits.py"
CLOCK = "giftserver/ledger/clock.py"
CLOSINGS = "giftserver/durable/closings.py"
REFUNDING = "giftserver/durable/refunds.py"
ROOMS = "giftserver/durable/rooms.py"

BUGS = (
    bug(
        "the cursor is not compared", POSTING,
        "AND epoch = :epoch AND seq = :seq FOR NO KEY UPDATE",
        "AND (epoch = :epoch OR true) AND (seq = :seq OR true) FOR NO KEY UPDATE",
        f"{FLUSH}::test_a_stale_cursor_posts_nothing", f"{FLUSH}::test_two_flushers_race_and_one_wins",
    ),
    bug(
        "the mark moves before the commit", FLUSHING,
        '    failpoint("flush.before_begin")\n',
        "    await mark_flushed(ledger_redis, shard, waiting.gifts[-1].seq)\n",
        f"{SAFEGUARDS}::test_a_flush_that_fails_moves_no_mark",
    ),
    bug(
        "events are trimmed before they are in PostgreSQL", TRIM,
        "local limit = math.min(tonumber(meta[1] or '0'), tonumber(meta[2] or '0'))\n",
        "local limit = tonumber(meta[2] or '0')\n",
        f"{SAFEGUARDS}::test_nothing_is_trimmed_that_is_not_flushed",
    ),
    bug(
        "events are trimmed before they are announced", TRIM,
        "local limit = math.min(tonumber(meta[1] or '0'), tonumber(meta[2] or '0'))\n",
        "local limit = tonumber(meta[1] or '0')\n",
        f"{FLUSH}::test_trim_keeps_the_tail_and_what_is_not_announced",
    ),
    Bug(
        "a bad event is skipped",
        (
            Edit(
                INTAKE,
                "        gifts.append(_read(shard, position, fields))\n",
                "        with suppress(FlushHalted):\n            gifts.append(_read(shard, position, fields))\n",
            ),
            Edit(
                INTAKE,
                "from collections.abc import Sequence\n",
                "from collections.abc import Sequence\nfrom contextlib import suppress\n",
            ),
        ),
        (f"{FLUSH}::test_an_undecodable_event_halts",),
    ),
    bug(
        "a gap in the stream is passed over", INTAKE,
        "position.seq != last.seq + 1 or not", "not",
        f"{FLUSH}::test_a_gap_halts",
    ),
    bug(
        "a Redis that is behind is not noticed by the flusher", INTAKE,
        "    if seq < cursor.seq:\n", "    if False:\n",
        f"{FLUSH}::test_a_redis_behind_postgresql_halts",
    ),
    bug(
        "gifts come through any shard", INTAKE,
        "    if owner != shard:\n", "    if False:\n",
        f"{FLUSH}::test_another_shards_sender_halts",
    ),
    bug(
        "the flusher takes any amount", INTAKE,
        "    if not 1 <= event.coins <= COINS_MAX:\n", "    if False:\n",
        f"{FLUSH}::test_a_forged_event_halts",
    ),
    bug(
        "an unanswered commit is taken for a success", FLUSHING,
        "        if await read_cursor(engine, shard) == target:\n", "        if True:\n",
        f"{FLUSH}::test_a_commit_without_an_answer_is_settled_by_the_cursor",
    ),
    bug(
        "a reference stands for any credit", CREDITING,
        "    if (row.user_id, row.coins, row.kind) != (user, coins, kind):\n", "    if False:\n",
        f"{CREDITS}::test_a_reference_stands_for_one_credit",
    ),
    bug(
        "credits are marked before they are applied", "giftserver/worker.py",
        "        brought = await self._ledger.bring_credits(user)\n",
        "        await mark_applied(self._engines.database, [(user, credit.credit_no) for credit in credits])\n"
        "        brought = await self._ledger.bring_credits(user)\n",
        f"{WORKER}::test_a_user_who_failed_is_tried_again",
    ),
    bug(
        "the announced mark moves before gifts are shown", "giftserver/gifts/catchup.py",
        "        for room, events in missing.items():\n",
        '        await self._advance(keys=[keys.meta(shard)], args=["announced", mark])\n'
        "        for room, events in missing.items():\n",
        f"{SAFEGUARDS}::test_what_could_not_be_shown_is_shown_later",
    ),
    bug(
        "nobody looks whether the room had closed", POSTING,
        "    late = await late_gifts(connection, gifts)\n", "    late: list[int] = []\n",
        f"{REFUNDS}::test_what_comes_after_the_closing_is_due_and_nothing_else",
    ),
    bug(
        "gifts are booked before the closing has its time", CLOSINGS,
        "            raise ClosingUntimed(room)\n", "            continue\n",
        f"{REFUNDS}::test_a_closing_without_its_time_is_timed_before_gifts_are_booked",
    ),
    bug(
        "a closing is dated before it was seen", CLOSINGS,
        "WHERE id = ANY(CAST(:ids AS bigint[])) AND closed_ms IS NULL", "WHERE closed_ms IS NULL",
        f"{REFUNDS}::test_a_closing_is_timed_once_and_after_it_was_seen",
    ),
    bug(
        "a room that opened again keeps late gifts", CLOSINGS,
        "AND (opened_ms IS NULL OR opened_ms > :since)", "AND opened_ms IS NULL AND :since > 0",
        f"{REFUNDS}::test_a_closed_time_that_is_over",
    ),
    bug(
        "what comes long after a closing is given back", CLOSINGS,
        "closed_ms < at_ms <= closed_ms + LATE_MAX_MS and", "closed_ms < at_ms and",
        f"{REFUNDS}::test_what_comes_long_after_the_closing_stays",
    ),
    bug(
        "a closed time ends when a clock says so that may step back", ROOMS,
        "CAST(:now AS bigint) - {CLOCK_DOUBT_MS})", "CAST(:now AS bigint) - 0)",
        f"{REFUNDS}::test_a_closed_time_that_is_over",
    ),
    bug(
        "a room that an older version opened cannot be closed", ROOMS,
        "DO UPDATE SET closed_ms = NULL", "DO NOTHING",
        f"{REFUNDS}::test_a_room_that_an_older_version_opened_can_be_closed",
    ),
    bug(
        "an opening is dated without a server that says nothing", CLOCK,
        "    if away is not None:\n", "    if away is not None and not clocks:\n",
        "tests/cluster/test_clock.py",
    ),
    bug(
        "a closing trusts that a silent server's clock is not ahead", CLOCK,
        "(0 if away is None else DOUBT_MS)", "0",
        "tests/cluster/test_clock.py",
    ),
    bug(
        "a gift overtakes an earlier one of its sender", "giftserver/gifts/service.py",
        "        waits = checked.user in self._slow", "        waits = False",
        "tests/giftserver/gifts/test_order.py",
    ),
    bug(
        "a gift is given back as often as one asks", REFUNDING,
        "WHERE d.gift = :gift AND d.refund IS NULL FOR UPDATE OF d", "WHERE d.gift = :gift",
        f"{REFUNDS}::test_a_gift_is_given_back_once",
    ),
    bug(
        "the creator keeps the diamonds of a refund", REFUNDING,
        "    if gift.diamonds:\n", "    if False:\n",
        f"{REFUNDS}::test_a_refund_takes_everything_back",
    ),
    bug(
        "verify does not miss a refund", "giftserver/durable/proof/book.py",
        "        await _find(connection, invariant, sql.LATE_AND_KEPT, after=after, upto=upto)\n", "",
        f"{REFUNDS}::test_verify_finds",
    ),
)  # fmt: skip

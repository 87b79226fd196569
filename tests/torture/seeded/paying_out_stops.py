"""Bugs in what stops all payouts after a restore, and in what people decide about payouts in review."""

from tests.torture.seeded.bug import Bug, bug
from tests.torture.seeded.paying_out import ASKING, BOOKS, KEEPER, MOVES, REQUESTS, SERVICE, WEB

STOPS = "tests/giftserver/payouts/test_stops.py"
DECISIONS = "tests/giftserver/payouts/test_decisions.py"
STOPPING = "giftserver/durable/payout_stops.py"

BUGS: tuple[Bug, ...] = (
    bug(
        "a payout of before a restore is paid twice", KEEPER, "        await self._watch.step()\n", "",
        f"{STOPS}::test_a_lost_payout_is_not_paid_twice",
    ),
    bug(
        "a webhook of a lost payout stops nothing", "giftserver/recharge/processor.py",
        "            await stop_for_unknown(self._database, event.provider, [event.payment])\n", "            pass\n",
        f"{STOPS}::test_a_webhook_of_a_lost_payout_stops_all",
    ),
    bug(
        "a restored payout that was sent is taken for one that was not", STOPPING,
        ".where(payout.c.id.in_(payouts), payout.c.sent_at.is_not(None))", ".where(payout.c.id.in_(payouts))",
        f"{STOPS}::test_a_provider_that_knows_what_was_never_sent",
    ),
    bug(
        "payouts are sent while they are stopped", MOVES,
        "            return None\n        await check_not_stopped(connection)\n", "            return None\n",
        f"{STOPS}::test_an_operator_stops_all_payouts",
    ),
    bug(
        "payouts are asked for while they are stopped", ASKING,
        "        await check_not_stopped(connection)\n", "",
        f"{STOPS}::test_an_operator_stops_all_payouts",
    ),
    bug(
        "a payout is taken back while payouts are stopped", MOVES,
        "        await check_not_stopped(connection)  # it may", "        # it may",
        f"{STOPS}::test_an_operator_stops_all_payouts",
    ),
    bug(
        "a payout is sent again while payouts are stopped", KEEPER,
        "        if await stop_in_force(self._database) or await may_be_behind(self._database, self._redis):\n",
        "        if False:\n",
        f"{STOPS}::test_what_is_sending_is_not_sent_again_while_payouts_are_stopped",
    ),
    bug(
        "a stop slips past a payout", STOPPING, "    await connection.execute(OTHERS)\n", "",
        f"{STOPS}::test_a_stop_of_the_same_moment_is_not_slipped_past",
    ),
    bug(
        "a stop that was lifted comes back", STOPPING,
        "        known |= set((await connection.execute(select(func.unnest(payout_stop.c.unknown)))).scalars())\n", "",
        f"{STOPS}::test_a_lost_payout_is_not_paid_twice",
    ),
    bug(
        "payouts are sent while PostgreSQL is filled", KEEPER,
        "        if await may_be_behind(self._database, self._redis):\n", "        if False:\n",
        f"{STOPS}::test_nothing_is_paid_out_while_postgresql_is_filled",
    ),
    bug(
        "payouts are asked for while PostgreSQL is filled", SERVICE,
        "        if await may_be_behind(self._database, self._redis):\n", "        if False:\n",
        f"{STOPS}::test_nothing_is_paid_out_while_postgresql_is_filled",
    ),
    bug(
        "nobody sees that PostgreSQL was restored", "giftserver/recovery/behind.py",
        " or int(flushed or 0) > cursors.get(shard, (0, 0))[1]\n", "\n",
        f"{STOPS}::test_nothing_is_paid_out_while_postgresql_is_filled",
    ),
    bug(
        "a stop is written anew", "giftserver/durable/migrations/versions/r0016_payout_stops.py",
        "        WHEN (OLD.lifted_at IS NOT NULL) EXECUTE", "        WHEN (false) EXECUTE",
        f"{STOPS}::test_stops_stay_as_they_were_written",
    ),
    bug(
        "what is sending is on its way for ever", "giftserver/durable/balances.py",
        "        UNION ALL SELECT id, currency, updated_at, review",
        "        UNION ALL SELECT id, currency, CASE WHEN state = 'sending' THEN now() ELSE updated_at END, review",
        f"{BOOKS}::test_what_is_sending_for_long_differs",
    ),
    bug(
        "a payout in review is on its way", "giftserver/recharge/balances.py", " and id not in review}", "}",
        f"{BOOKS}::test_what_is_in_review_differs",
    ),
    bug(
        "an operator decides about a payout of their own", MOVES,
        "        check_other(by, now.user_id)\n        if now.review", "        if now.review",
        f"{DECISIONS}::test_who_may_decide",
    ),
    bug(
        "payouts are decided that nobody has to look at", MOVES, "        if now.review is None or (", "        if (",
        f"{DECISIONS}::test_who_may_decide",
    ),
    bug(
        "a payout that is over is decided", MOVES,
        ' or (decision == "dismiss") == (now.state is PayoutState.SENDING):\n', ":\n",
        f"{DECISIONS}::test_what_is_sending_is_booked_as_a_person_found_out",
    ),
    bug(
        "a decided payout is not booked", MOVES,
        "review=None, paid_at=func.now())\n            await book_paid(connection, now.id, now.user_id, now.diamonds, "
        "_money(now))\n",
        "review=None, paid_at=func.now())\n",
        f"{DECISIONS}::test_what_is_sending_is_booked_as_a_person_found_out",
    ),
    bug(
        "a decision about a payout is not in the audit log", MOVES,
        '        await log_act(connection, Act(by, "decide_payout"', '        _ = (Act(by, "decide_payout"',
        f"{DECISIONS}::test_what_is_sending_is_booked_as_a_person_found_out",
    ),
    bug(
        "a review that was dismissed comes back", MOVES,
        "    if now.review is None and (await connection.execute(told.limit(1))).first() is not None:\n",
        "    if False:\n", f"{DECISIONS}::test_a_review_of_what_is_over_is_dismissed",
    ),
    bug(
        "a wrong answer's reference is forgotten", MOVES, "else f\"{wrong} ({now.provider}'s {ref})\"", "else wrong",
        f"{DECISIONS}::test_the_reference_of_the_first_wrong_answer_is_kept",
    ),
    bug(
        "creators read what is for operators", WEB, "    return step.detail if ended and said else \"\"\n",
        "    return step.detail\n", f"{DECISIONS}::test_creators_read_nothing_of_a_review",
    ),
    bug(
        "an operator looks at a payout of their own", "giftserver/web/ops_payouts.py",
        "    check_other(call.actor, found.user_id)\n", "",
        f"{DECISIONS}::test_nobody_looks_at_their_own_as_an_operator",
    ),
    bug(
        "a pattern reaches who names a currency", "giftserver/gifts/messages.py",
        '    CURRENCY: "of three letters, such as USD",\n', "",
        f"{REQUESTS}::test_a_currency_of_another_shape_is_refused_in_words",
    ),
    bug(
        "waits go on as they were after news", MOVES, "ask_at=func.clock_timestamp(), tries=0)",
        "ask_at=func.clock_timestamp())",
        "tests/giftserver/payouts/test_news.py::test_after_an_event_the_waits_begin_anew",
    ),
)  # fmt: skip

"""Bugs in payouts to creators: who may ask for how much, what is sent how often, what is booked, and who stops it."""

from tests.torture.seeded.bug import Bug, Edit, bug

REQUESTS = "tests/giftserver/payouts/test_requests.py"
SENDING = "tests/giftserver/payouts/test_sending.py"
HOLDS = "tests/giftserver/payouts/test_holds.py"
BOOKS = "tests/giftserver/payouts/test_books.py"
KILLED = "tests/giftserver/payouts/test_killed.py"
LEDGER = "tests/giftserver/durable/test_payouts.py"
ASKING = "giftserver/durable/payouts.py"
ACCOUNTS = "giftserver/durable/payout_accounts.py"
MOVES = "giftserver/durable/payout_moves.py"
BOOKING = "giftserver/durable/payout_booking.py"
KEEPER = "giftserver/recharge/payout_keeper.py"
SERVICE = "giftserver/recharge/payouts.py"
WEB = "giftserver/web/payouts.py"
MIGRATION = "giftserver/durable/migrations/versions/r0014_payouts.py"

BUGS: tuple[Bug, ...] = (
    bug(
        "payouts are asked for side by side", ASKING,
        "        await in_turn(connection, new.user)\n        known", "        known",
        f"{REQUESTS}::test_a_key_is_one_payout", f"{REQUESTS}::test_the_most_of_a_day_holds_for_all_at_once",
    ),
    bug(
        "a payout looks at diamonds that others take", ASKING,
        "        await lock_accounts(connection, names)\n", "",
        f"{BOOKS}::test_nobody_changes_the_account_while_it_is_looked_at",
    ),
    bug(
        "any payout is available", ASKING, "        if new.diamonds > available:\n", "        if False:\n",
        f"{REQUESTS}::test_the_diamonds_of_two_weeks_are_pending",
        f"{REQUESTS}::test_somebody_who_never_earned_anything",
    ),
    bug(
        "payouts of what was earned thirteen days ago", "giftserver/durable/earnings.py",
        "PENDING_DAYS: Final = 14\n", "PENDING_DAYS: Final = 13\n",
        f"{LEDGER}::test_diamonds_are_pending_for_fourteen_days",
    ),
    bug(
        "a payout key stands for whatever comes", SERVICE,
        " and found.request_hash != wish.hash()", " and False",
        f"{REQUESTS}::test_a_key_is_one_payout",
    ),
    bug(
        "payouts at any price", SERVICE,
        "        if (wish.amount_minor, wish.currency) != (amount, rate.currency):\n", "        if False:\n",
        f"{REQUESTS}::test_the_price_that_was_shown",
    ),
    bug(
        "payouts round", "giftserver/recharge/payout_rates.py",
        "return None if over else amount", "return amount",
        f"{REQUESTS}::test_nothing_is_lost_by_rounding",
    ),
    bug(
        "payouts of a cent", SERVICE, "        if amount < rate.min_minor:\n", "        if False:\n",
        f"{REQUESTS}::test_the_least_and_the_most_of_a_day",
    ),
    bug(
        "payouts without a day's maximum", ASKING,
        "        if day.asked_minor + new.amount_minor > day_max_minor:\n", "        if False:\n",
        f"{REQUESTS}::test_the_least_and_the_most_of_a_day",
    ),
    bug(
        "a cancelled payout counts for the day", ASKING,
        "payout.c.state.not_in(UNCOUNTED) & ", "",
        f"{REQUESTS}::test_the_least_and_the_most_of_a_day",
    ),
    bug(
        "a returned payout does not count for the day", "giftserver/recharge/payout_states.py",
        "PayoutState.VOIDED, PayoutState.FAILED})", "PayoutState.VOIDED, PayoutState.FAILED, PayoutState.RETURNED})",
        f"{REQUESTS}::test_the_least_and_the_most_of_a_day",
    ),
    bug(
        "payouts asked for without end", ASKING, "        if day.requests >= REQUESTS_MAX:\n", "        if False:\n",
        f"{REQUESTS}::test_the_most_of_a_day_holds_for_all_at_once",
    ),
    bug(
        "payouts to children", WEB, "    return TOO_YOUNG if call", "    return None if call",
        f"{REQUESTS}::test_only_adults",
    ),
    bug(
        "a payout is asked for in a case", ASKING,
        "        if await has_case_hold(connection, new.user):\n", "        if False:\n",
        f"{REQUESTS}::test_nobody_in_a_case",
    ),
    bug(
        "payouts go to any address", SERVICE, " or re.fullmatch(form.pattern, address) is None:", ":",
        f"{REQUESTS}::test_addresses_that_cannot_be",
    ),
    bug(
        "payouts go to an address that was right once", SERVICE,
        "        if refusal := self._check_address(account.provider, account.address):\n",
        "        if refusal := None:\n",
        f"{REQUESTS}::test_an_address_that_the_provider_takes_no_more",
    ),
    bug(
        "payouts go to a changed account at once", ACCOUNTS,
        "usable_at = row.set_at if row.at_once else row.set_at + WAIT", "usable_at = row.set_at",
        f"{REQUESTS}::test_a_changed_account_waits_a_day",
    ),
    bug(
        "a payout takes whatever account is there", ASKING,
        " or account.id != new.account or not account.usable:", " or not account.usable:",
        f"{REQUESTS}::test_an_account_that_changes_while_a_payout_is_asked_for",
    ),
    bug(
        "a thief uses up the changes of a payout account", ACCOUNTS,
        "        if not row.used_before and row.lately", "        if row.lately",
        f"{REQUESTS}::test_an_owner_undoes_what_a_thief_did",
    ),
    bug(
        "setting a payout account back counts", ACCOUNTS, " AND coalesce(used.id >= stood.id, true)", "",
        f"{REQUESTS}::test_setting_an_account_back_does_not_count",
    ),
    bug(
        "an account that is set back waits a day", ACCOUNTS,
        "        first OR coalesce(used.id < stood.id, false) AS at_once\n", "        first AS at_once\n",
        f"{REQUESTS}::test_an_owner_undoes_what_a_thief_did",
    ),
    bug(
        "an account that never could be used is used at once", ACCOUNTS,
        "        WHERE first OR until >= set_at + CAST(:wait AS interval) GROUP BY 1, 2\n", "        GROUP BY 1, 2\n",
        f"{REQUESTS}::test_what_never_could_be_used_waits_again",
    ),
    bug(
        "payout accounts change without end", ACCOUNTS, " >= CHANGES_MAX:", " >= 10**9:",
        f"{REQUESTS}::test_accounts_are_changed_ten_times_a_day",
    ),
    bug(
        "payout answers show addresses", WEB,
        "        address_masked=masked(found.address),\n", "        address_masked=found.address,\n",
        f"{REQUESTS}::test_operators_see_all_with_masked_addresses",
    ),
    bug(
        "a payout's refusal tells the address", KEEPER,
        "    return words.replace(now.address, masked(now.address))[:300]\n", "    return words\n",
        f"{SENDING}::test_a_refusal_of_the_provider_is_the_end",
    ),
    bug(
        "a payout of somebody else is cancelled", MOVES, "        if now is None or now.user_id != user or now.state",
        "        if now is None or now.state", f"{REQUESTS}::test_payouts_are_their_creators_alone",
    ),
    bug(
        "an operator voids a payout of their own", MOVES,
        "        check_other(by, now.user_id)\n        if now.state is PayoutState.VOIDED",
        "        if now.state is PayoutState.VOIDED",
        f"{HOLDS}::test_nobody_voids_their_own",
    ),
    bug(
        "a voided payout is not in the audit log", MOVES,
        '        await log_act(connection, Act(by, "void_payout"', '        _ = (Act(by, "void_payout"',
        f"{HOLDS}::test_an_operator_voids_it",
    ),
    Bug(
        "a payout that was sent is taken back",
        (
            Edit(MOVES, "    if now.state not in STOPPABLE:\n        raise NotStoppable(now)\n", ""),
            Edit(MIGRATION, "('sending', 'paid'), ", "('sending', 'paid'), ('sending', 'cancelled'), "),
        ),
        (f"{SENDING}::test_it_cannot_be_taken_back_once_it_is_sent",),
    ),
    bug(
        "the database lets payouts go anywhere", MIGRATION,
        "(OLD.state, NEW.state) NOT IN (", "NEW.state = '' AND (OLD.state, NEW.state) NOT IN (",
        f"{LEDGER}::test_the_database_keeps_payouts",
    ),
    bug(
        "a hold slips past a payout", MOVES, "        await holds_in_turn(connection, now.user_id)\n", "",
        f"{HOLDS}::test_a_hold_of_the_same_moment_is_not_slipped_past",
    ),
    bug(
        "payouts are sent whatever case there is", MOVES,
        "        on_hold = await has_case_hold(connection, now.user_id)\n", "        on_hold = False\n",
        f"{HOLDS}::test_a_case_holds_what_was_not_sent",
    ),
    bug(
        "a held payout waits for ever", MOVES,
        "        if now.state is PayoutState.HELD:\n            return await _step(connection, now, PayoutState.REQ",
        "        if now.state is PayoutState.HELD:\n            return now\n            return await _step("
        "connection, now, PayoutState.REQ",
        f"{HOLDS}::test_a_case_holds_what_was_not_sent",
    ),
    bug(
        "a payout is given to two workers", MOVES,
        "    UPDATE payout SET ask_at = clock_timestamp() + CAST(:lease AS interval)\n",
        "    UPDATE payout SET ask_at = clock_timestamp() + 0 * CAST(:lease AS interval)\n",
        f"{KILLED}::test_nobody_else_looks_while_somebody_may",
    ),
    bug(
        "a payout that another worker took is forgotten", KEEPER,
        "            return await self._next(id)\n        if begun.state",
        "            return None\n        if begun.state",
        f"{SENDING}::test_what_another_worker_took_up_is_looked_at_again",
    ),
    bug(
        "a payout that another worker heard of is forgotten", KEEPER,
        "                return await self._next(now.id)\n", "                return None\n",
        f"{SENDING}::test_what_another_worker_took_up_is_looked_at_again",
    ),
    bug(
        "a payout is sent again unasked", KEEPER,
        "        found = await provider.find_payout(now.id, now.provider_ref or \"\")\n", "        found = None\n",
        f"{SENDING}::test_nothing_is_sent_again_before_it_was_asked_for",
    ),
    bug(
        "a payout is sent under another key", KEEPER, "            payout=now.id,\n            amount_minor",
        '            payout=f"out_{now.tries:032x}",\n            amount_minor',
        f"{SENDING}::test_a_provider_that_paid_and_did_not_answer", f"{SENDING}::test_a_payout_that_arrives",
    ),
    bug(
        "a payout that never came is never sent again", KEEPER,
        "        log.info(\"payout_sent_again\", payout=now.id)\n        return await self._send(now, provider)\n",
        "        return _wait(now)\n",
        f"{SENDING}::test_a_provider_that_never_got_it",
    ),
    bug(
        "a payout is sent again when the provider may have forgotten it", KEEPER,
        "        if now.sent_at is None or datetime.now(UTC) - now.sent_at > timedelta(seconds=PAYOUT_AGAIN_S):\n",
        "        if False:\n", f"{SENDING}::test_a_provider_may_have_forgotten_after_four_weeks",
    ),
    bug(
        "a payout that hangs has failed", KEEPER,
        "        except ProviderRefused as problem:\n", "        except (ProviderAway, ProviderRefused) as problem:\n",
        f"{SENDING}::test_a_provider_that_paid_and_did_not_answer",
    ),
    bug(
        "a refused payout is sent for ever", KEEPER,
        "            failed = await refused(self._database, now.id, reason)\n", "            failed = now\n",
        f"{SENDING}::test_a_refusal_of_the_provider_is_the_end",
    ),
    bug(
        "payouts of any amount are booked as paid", MOVES,
        "    if (news.amount_minor, news.currency) != (stored.amount_minor, stored.currency):\n", "    if False:\n",
        f"{SENDING}::test_news_that_contradict_the_payout_are_never_booked",
    ),
    bug(
        "payouts of pretended money are paid", MOVES, "    if news.live != live:\n", "    if False:\n",
        f"{SENDING}::test_news_that_contradict_the_payout_are_never_booked",
    ),
    bug(
        "another payout's news are believed", MOVES,
        "    if news.payout != stored.id or (stored.provider_ref or news.ref) != news.ref "
        "or provider != stored.provider:\n",
        "    if False:\n", f"{SENDING}::test_money_that_is_paid_after_it_had_failed_needs_a_person",
    ),
    bug(
        "nobody sees a payout that is paid after it had failed", MOVES,
        "    if now.state is PayoutState.FAILED and news.state in (\"paid\", \"pending\"):\n", "    if False:\n",
        f"{SENDING}::test_money_that_is_paid_after_it_had_failed_needs_a_person",
    ),
    bug(
        "a payout that failed keeps the diamonds", MOVES,
        "    )\n    await book_undone(connection, now.id, now.user_id, now.diamonds)\n    return failed\n",
        "    )\n    return failed\n", f"{SENDING}::test_a_payout_that_fails_gives_the_diamonds_back",
    ),
    bug(
        "a payout that came back stays paid", MOVES,
        "    if now.state is PayoutState.PAID and news.state in (\"returned\", \"failed\"):\n", "    if False:\n",
        f"{SENDING}::test_a_payout_that_was_paid_and_came_back",
    ),
    bug(
        "a paid payout is asked about no more", KEEPER,
        "PayoutState.PAID: RETURNED_WITHIN, ", "", f"{SENDING}::test_waits_grow_and_end",
    ),
    bug(
        "payouts take no money from the provider", BOOKING,
        "[(payout_held(user), -1), (PAID_OUT, 1)], money, 1)", "[(payout_held(user), -1), (PAID_OUT, 1)])",
        f"{SENDING}::test_a_payout_that_arrives",
    ),
    bug(
        "an event about a payout is lost", MOVES,
        "    later = update(payout).where(payout.c.id == due.id, payout.c.ask_at == due.leased_until)\n",
        "    later = update(payout).where(payout.c.id == due.id)\n",
        f"{SENDING}::test_an_event_that_comes_during_a_look_is_not_lost",
    ),
    bug(
        "events about payouts are looked for among payments", "giftserver/recharge/processor.py",
        "            if PAYOUT.fullmatch(event.payment):\n", "            if False:\n",
        f"{SENDING}::test_a_webhook_makes_the_keeper_ask_at_once",
    ),
    bug(
        "another provider's event moves a payout", MOVES,
        "payout.c.provider == provider, payout.c.sent_at.is_not(None))", "payout.c.sent_at.is_not(None))",
        f"{SENDING}::test_an_event_of_a_payout_that_is_not_ours_is_put_off",
    ),
    bug(
        "one payout holds up the others", KEEPER,
        "            except Exception as problem:  # whatever one payout meets, the others go on\n",
        "            except ProviderAway as problem:\n", f"{SENDING}::test_a_slow_provider_holds_up_no_other",
    ),
    bug(
        "the balance report knows no payouts", "giftserver/durable/balances.py",
        ", ('payout-paid:'), ('payout-returned:')", "",
        f"{BOOKS}::test_both_sides_agree_on_payouts",
    ),
    bug(
        "the proof knows no payouts", "giftserver/durable/proof/payouts.py",
        "    for query in (UNLIKE_PAYOUT, STRAY, BALANCES, UNSTEADY, ELSEWHERE):\n", "    for query in (UNSTEADY,):\n",
        f"{BOOKS}::test_tampering_with_payouts_is_seen",
    ),
    bug(
        "the studio calls a payout on its way paid", "giftserver/web/studio.py",
        " - earned.held_diamonds),", "),",
        f"{BOOKS}::test_the_studio_says_what_is_on_its_way_and_what_was_paid",
    ),
)  # fmt: skip

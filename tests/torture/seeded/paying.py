"""Bugs in payments: what is believed, what is credited, and how often."""

from tests.torture.seeded.bug import Bug, Edit, bug

PAYMENTS = "tests/giftserver/durable/test_payments.py"
WAYS_OUT = "tests/giftserver/recharge/test_ways_out.py"
WEBHOOKS = "tests/giftserver/recharge/test_webhooks.py"
BUYING = "tests/giftserver/recharge/test_buying.py"
PRICES = "tests/giftserver/recharge/test_prices.py"
OPERATING = "tests/giftserver/recharge/test_operating_prices.py"
MOVES = "giftserver/durable/payment_moves.py"
STORED = "giftserver/durable/payments.py"
SERVICE = "giftserver/recharge/service.py"
PLUG_IN = "giftserver/recharge/sandbox.py"
SIGNING = "giftserver/sandbox/signing.py"
STATES = "giftserver/recharge/states.py"
STRIPE = "giftserver/recharge/stripe.py"
PAYPAL = "giftserver/recharge/paypal.py"
STRIPE_TESTS = "tests/giftserver/recharge/test_stripe.py"
PAYPAL_TESTS = "tests/giftserver/recharge/test_paypal.py"
REFUSED = f"{WEBHOOKS}::test_what_is_not_the_providers_is_refused_and_nothing_is_kept"
LOST = f"{WEBHOOKS}::test_without_any_webhook_the_reconciler_credits"
LATE = f"{WEBHOOKS}::test_a_late_payment_of_an_expired_session_is_credited_once"
MIGRATION = "giftserver/durable/migrations/versions/r0005_payments.py"
OWN = "tests/giftserver/cases/test_own_affairs.py"
READ = f"{OWN}::test_nobody_reads_a_case_about_themselves"
REVIEWED = f"{OWN}::test_nobody_refunds_or_reviews_their_own_purchase"

BUGS: tuple[Bug, ...] = (
    bug(
        "a webhook's signature is not looked at", PLUG_IN,
        "        if reason is not None:\n            return Rejected(reason)\n", "",
        f"{WEBHOOKS}::test_what_is_not_the_providers_is_refused_and_nothing_is_kept",
    ),
    bug(
        "old webhooks are believed", "giftserver/sandbox/signing.py",
        "    if age_s > tolerance_s:\n", "    if False:\n",
        f"{WEBHOOKS}::test_what_is_not_the_providers_is_refused_and_nothing_is_kept",
    ),
    bug(
        "an event of the other mode is kept", "giftserver/web/payments.py",
        "any(event.live != provider.live for event in events)", "False",
        f"{WEBHOOKS}::test_pretended_money_in_live_mode_is_refused",
    ),
    bug(
        "pretended money is credited", "giftserver/recharge/inquiry.py",
        "        if found.live != provider.live:\n", "        if False:\n",
        f"{WEBHOOKS}::test_pretended_money_in_live_mode_is_refused",
    ),
    bug(
        "another amount is credited", MOVES,
        "news.state is State.SUCCEEDED and news.captured_minor != stored.amount_minor", "False",
        f"{PAYMENTS}::test_what_contradicts_the_order_is_never_credited",
    ),
    bug(
        "another currency is credited", MOVES,
        "    if news.currency != stored.currency:\n", "    if False:\n",
        f"{PAYMENTS}::test_what_contradicts_the_order_is_never_credited",
    ),
    bug(
        "another checkout pays an order", MOVES,
        " and (stored.provider_ref or news.ref) == news.ref", "",
        f"{PAYMENTS}::test_a_second_reference_for_an_order_is_refused",
    ),
    bug(
        "paid is credited each time it is told", MOVES,
        "    if news.state is State.SUCCEEDED and moved.state is State.SUCCEEDED:\n",
        "    if news.state is State.SUCCEEDED:\n",
        f"{PAYMENTS}::test_told_twenty_times_in_parallel_it_is_credited_once",
    ),
    bug(
        "the payment is not locked while it is credited", MOVES,
        "select(payment).where(payment.c.id == id).with_for_update()", "select(payment).where(payment.c.id == id)",
        f"{PAYMENTS}::test_told_twenty_times_in_parallel_it_is_credited_once",
    ),
    bug(
        "the last news wins", "giftserver/recharge/states.py",
        "    return RANKS[news] > RANKS[now]\n", "    return news is not now\n",
        f"{PAYMENTS}::test_news_in_any_order_end_in_the_same_state",
    ),
    bug(
        "what was refunded is credited", MOVES,
        "    if news.refunded_minor >= paid.amount_minor:\n", "    if False:\n",
        f"{PAYMENTS}::test_refunded_before_it_was_credited_is_no_credit",
    ),
    bug(
        "a late payment has a bonus that another order has", MOVES,
        "    if await connection.scalar(select(taken)):\n        return False\n", "",
        f"{PAYMENTS}::test_a_late_payment_has_the_bonus_unless_another_order_took_it",
    ),
    bug(
        "the bonus is paid by coins_sold", "giftserver/durable/recharges.py",
        "(COINS_SOLD, -coins)]\n    if bonus_coins:\n", "(COINS_SOLD, -total)]\n    if False:\n",
        f"{PAYMENTS}::test_the_bonus_comes_from_promotions",
    ),
    bug(
        "a first purchase is never over", STORED,
        "    if promotion.first_purchase and await has_bought(connection, user):\n", "    if False:\n",
        f"{PAYMENTS}::test_who_has_bought_has_no_first_purchase",
    ),
    bug(
        "uses of a promotion are not counted in turn", STORED,
        '    await connection.execute(IN_TURN, {"promotion": promotion})\n', "",
        f"{PAYMENTS}::test_a_promotion_for_all_is_used_so_many_times",
    ),
    bug(
        "the price is the buyer's to say", SERVICE,
        "        if shown != (terms.amount_minor, terms.bonus_coins, terms.currency):\n", "        if False:\n",
        f"{BUYING}::test_an_order_that_is_not_for_sale_is_refused",
    ),
    bug(
        "another order under a key is taken for the first", SERVICE,
        "found.request_hash != wish.hash()", "False",
        f"{BUYING}::test_an_order_is_made_once_for_a_key",
    ),
    bug(
        "payments are everybody's to see", SERVICE,
        "found is None or found.user_id != user", "found is None",
        f"{BUYING}::test_nobody_sees_anothers_payment",
    ),
    bug(
        "an event that came too early is thrown away", "giftserver/recharge/processor.py",
        'outcome in ("unknown", "no") and', 'outcome == "no" and',
        f"{WEBHOOKS}::test_an_event_of_an_unknown_payment_is_parked_and_heard_later",
    ),
    bug(
        "one person changes prices", MIGRATION,
        "CONSTRAINT price_list_two_persons CHECK (approved_by <> proposed_by)",
        "CONSTRAINT price_list_two_persons CHECK (true)",
        f"{OPERATING}::test_a_list_needs_a_second_person",
    ),
    bug(
        "the terms of an order can be changed", MIGRATION,
        "bonus_coins, pack, amount_minor, currency, country, price_version, promotion OR DELETE",
        "bonus_coins, pack, currency, country, price_version, promotion OR DELETE",
        f"{PAYMENTS}::test_the_database_keeps_the_terms",
    ),
    bug(
        "entries of two currencies balance each other", MIGRATION,
        "                    OR coalesce(min(CASE", "                    OR false AND coalesce(min(CASE",
        "tests/giftserver/durable/test_tables.py",
    ),
    bug(
        "copies of an event are new ones", "giftserver/durable/provider_events.py",
        ".values(values).on_conflict_do_nothing()", ".values(values)",
        f"{WEBHOOKS}::test_twenty_copies_in_random_order_and_in_parallel_are_one_credit",
    ),
    bug(
        "coming back from the provider credits", "giftserver/web/payments.py",
        "    return await _answer(call, await _own(call))\n",
        "    return await _answer(call, await call.services.recharges.check(await _own(call)))\n", LOST,
    ),
    bug(
        "nobody asks about payments that nothing was heard of", "giftserver/recharge/reconciler.py",
        "asked = await open_payments(self._database, self._quiet_s, PAGE)", "asked = []", LOST,
    ),
    bug(
        "an order's own answer undoes its credit", STATES, "State.PENDING: 10,", "State.PENDING: 65,",
        f"{WEBHOOKS}::test_webhooks_before_the_answer_of_the_order_are_credited_once",
    ),
    bug(
        "a webhook is thanked for that was not kept", "giftserver/web/payments.py",
        "    return WebhookAnswer(await keep_events(services.database, name, events))\n",
        "    try:\n        return WebhookAnswer(await keep_events(services.database, name, events))\n"
        "    except OSError:\n        return WebhookAnswer(0)\n",
        f"{WEBHOOKS}::test_a_webhook_that_cannot_be_kept_comes_again",
    ),
    bug(
        "a signature fits any body", SIGNING, 'stamp.encode() + b"." + raw', 'stamp.encode() + b"."', REFUSED,
    ),
    bug("webhooks of the future are believed", SIGNING, "    if age_s < -tolerance_s:\n", "    if False:\n", REFUSED),
    bug(
        "forged webhooks are not logged", "giftserver/web/payments.py",
        '    log.warning("webhook_refused", provider=provider, reason=reason or refusal.message)\n', "", REFUSED,
    ),
    bug(
        "money that is not believed is not logged", "giftserver/recharge/inquiry.py",
        '            log.error("payment_refused", payment=found.payment, provider=provider.name, reason=done.wrong)\n',
        "            pass\n",
        f"{WEBHOOKS}::test_another_amount_or_currency_is_never_credited",
    ),
    bug(
        "another provider pays an order", MOVES,
        "        if provider is not None and provider != now.provider:\n", "        if False:\n",
        f"{PAYMENTS}::test_another_provider_pays_no_order",
    ),
    bug(
        "an order's key is everybody's", STORED,
        "payment.c.user_id == user, payment.c.key == key", "payment.c.key == key",
        f"{BUYING}::test_an_order_is_made_once_for_a_key",
    ),
    bug(
        "why a card was declined is not told", MOVES,
        '        changes |= {"decline": news.decline}\n', "        pass\n",
        f"{BUYING}::test_every_decline_is_told_and_the_next_try_can_succeed",
    ),
    Bug(
        "an order is credited while the bank asks",
        (
            Edit(PLUG_IN, '"requires_action": State.REQUIRES_ACTION', '"requires_action": State.SUCCEEDED'),
            Edit(MOVES, "news.state is State.SUCCEEDED and news.captured_minor != stored.amount_minor", "False"),
        ),
        (f"{BUYING}::test_three_d_secure_passes_through_its_state",),
    ),
    Bug(
        "promised money is credited",
        (
            Edit(PLUG_IN, '"authorised": State.AUTHORISED', '"authorised": State.SUCCEEDED'),
            Edit(MOVES, "news.state is State.SUCCEEDED and news.captured_minor != stored.amount_minor", "False"),
        ),
        (f"{BUYING}::test_a_bank_transfer_is_credited_when_the_money_is_there",),
    ),
    bug(
        "an order that was given up stays open", STATES, "State.EXPIRED: 40,", "State.EXPIRED: 5,",
        f"{BUYING}::test_a_refused_or_abandoned_bank_question_credits_nothing",
    ),
    bug("money that comes after the end is kept", STATES, "State.EXPIRED: 40,", "State.EXPIRED: 55,", LATE),
    bug(
        "an order that ended keeps its offer", MOVES,
        '{"promotion_held": False, "ask_again_at": func.now()', '{"ask_again_at": func.now()',
        f"{PAYMENTS}::test_a_first_purchase_bonus_is_given_once",
    ),
    bug(
        "an order that ended is never asked about again", MOVES,
        '{"promotion_held": False, "ask_again_at": func.now() + timedelta(hours=1)}', '{"promotion_held": False}',
        "tests/giftserver/recharge/test_ways_out.py::test_paid_after_the_end_without_a_webhook_is_found_by_asking",
    ),
    bug(
        "a credited payment is never asked about again", MOVES,
        "        promotion_held=held,\n        ask_again_at=func.now() + timedelta(hours=1),\n",
        "        promotion_held=held,\n",
        "tests/giftserver/recharge/test_claims.py::test_a_dispute_whose_webhooks_are_lost_is_found_by_asking",
    ),
    bug(
        "anybody signs for Stripe", STRIPE,
        "            stripe.WebhookSignature.verify_header(raw, header, self._webhook_secret, None)\n", "",
        f"{STRIPE_TESTS}::test_a_signature_of_another_secret_is_rejected",
    ),
    bug(
        "Stripe's webhooks of the future are believed", STRIPE,
        "        if abs(now_s - stamp_s) > STAMP_S:\n", "        if now_s - stamp_s > STAMP_S:\n",
        f"{STRIPE_TESTS}::test_a_stamp_may_be_five_minutes_off_and_no_more",
    ),
    bug(
        "a completed session of Stripe is a paid one", STRIPE,
        '    if session.payment_status == "paid":\n', '    if session.status == "complete":\n',
        f"{STRIPE_TESTS}::test_a_delayed_method_is_promised_until_its_money_comes",
    ),
    bug(
        "anybody signs for PayPal", PAYPAL, "            key.verify(signed, ", "            (lambda *_: None)(signed, ",
        f"{PAYPAL_TESTS}::test_a_webhook_that_is_not_ours_is_rejected",
    ),
    bug(
        "PayPal's certificates come from anywhere", "giftserver/recharge/paypal_certificates.py",
        "        if not url.startswith(self._home) or not CERTIFICATE_PATH.fullmatch(url.removeprefix(self._home)):\n",
        "        if not CERTIFICATE_PATH.search(url):\n",
        f"{PAYPAL_TESTS}::test_certificates_come_from_paypal_alone",
    ),
    bug(
        "PayPal's later tries are refused", PAYPAL, "AGE_S: Final = 4 * 86_400", "AGE_S: Final = 86_400",
        f"{PAYPAL_TESTS}::test_a_webhook_that_is_not_ours_is_rejected",
    ),
    bug(
        "another shop's orders are captured", PAYPAL,
        'return text_at(unit, "custom_id") if text_at(unit, "custom_id") == text_at(unit, "invoice_id") else ""',
        'return text_at(unit, "custom_id")',
        f"{PAYPAL_TESTS}::test_only_our_own_orders_are_captured",
    ),
    bug(
        "a provider is asked as often as somebody presses", "giftserver/web/payments.py",
        '{"retry_after_ms": ceil(wait_s * 1_000)}) if wait_s else None\n', "{}) if False else None\n",
        "tests/giftserver/recharge/test_buying.py::test_a_provider_is_asked_about_an_order_once_in_a_while",
    ),
    bug(
        "a webhook that no database takes comes for ever", "giftserver/web/payments.py",
        "and not all(_is_plain(event) for event in events):\n", "and False:\n",
        f"{WEBHOOKS}::test_an_event_that_no_database_takes_is_refused_for_good",
    ),
    bug(
        "a webhook with an endless id comes for ever", "giftserver/web/payments.py",
        "len(text) <= EVENT_CHARACTERS_MAX and text", "text",
        f"{WEBHOOKS}::test_an_event_that_no_database_takes_is_refused_for_good",
    ),
    bug(
        "an event that its provider refuses is asked about for ever", "giftserver/recharge/processor.py",
        'outcome == "away" or (', 'outcome in ("away", "no") or (',
        f"{WAYS_OUT}::test_an_event_that_its_provider_refuses_to_explain_ends_with_a_person",
    ),
    bug(
        "an event that its provider refuses ends in silence", "giftserver/recharge/processor.py",
        "            outcome = await self._give_up(checkout, events)\n", '            outcome = "given_up"\n',
        f"{WAYS_OUT}::test_an_event_that_its_provider_refuses_to_explain_ends_with_a_person",
    ),
    bug(
        "what is too large is not counted as refused", "giftserver/web/payments.py",
        "            return _not_taken(services, name, too_large)\n", "            return too_large\n", REFUSED,
    ),
    bug(
        "an operator gives themselves coins", "giftserver/durable/adjustments.py",
        "    check_other(by, new.user)\n", "", f"{OWN}::test_nobody_adjusts_their_own_wallet",
    ),
    bug(
        "an operator decides about their own coins", "giftserver/durable/adjustments.py",
        "    check_other(by, row.user_id)\n", "", f"{OWN}::test_nobody_adjusts_their_own_wallet",
    ),
    bug(
        "a proposal of one's own from before is approved", "giftserver/durable/adjustments.py",
        "    if state == \"approved\" and row.proposed_by == row.user_id:", "    if False:",
        f"{OWN}::test_the_database_refuses_adjustments_of_ones_own_wallet",
    ),
    bug(
        "the database lets anybody decide about themselves",
        "giftserver/durable/migrations/versions/r0013_own_affairs.py",
        "WHEN (NEW.decided_by = NEW.user_id OR NEW.proposed_by", "WHEN (false AND NEW.proposed_by",
        f"{OWN}::test_the_database_refuses_adjustments_of_ones_own_wallet",
    ),
    bug(
        "an operator's own case", "giftserver/durable/cases.py", "    check_other(by, case.person)\n", "",
        f"{OWN}::test_nobody_takes_a_step_in_their_own_case",
    ),
    bug(
        "an operator lists cases about themselves", "giftserver/durable/cases.py",
        "    query = query.where(case_file.c.person != by.id)\n", "", READ,
    ),
    bug(
        "an operator reads a case about themselves", "giftserver/durable/cases.py",
        "    check_other(by, row.person)\n", "", READ,
    ),
    bug(
        "the audit log tells of a case about oneself", "giftserver/durable/audit_log.py", ".where(~own)", "", READ,
    ),
    bug(
        "an operator's own refund", "giftserver/durable/claims.py",
        "            check_other(by, row.user_id)\n", "            pass\n", REVIEWED,
    ),
    bug(
        "an operator's own payment in review", "giftserver/recharge/reviews.py",
        "    check_other(by, payment.user_id)\n", "", REVIEWED,
    ),
    bug(
        "an old price list is approved", "giftserver/durable/prices.py",
        "            if version < in_force:\n", "            if False:\n",
        f"{OPERATING}::test_a_list_that_was_overtaken_cannot_be_approved",
    ),
    bug(
        "a pack that nobody can order", "giftserver/recharge/prices.py",
        "len(text) <= ID_CHARACTERS_MAX and NAME", "NAME",
        f"{PRICES}::test_what_cannot_be_a_price_list_says_why",
    ),
    bug(
        "coins for nearly nothing", "giftserver/recharge/prices.py",
        "    yield from _too_cheap(where, region, promotions)\n", "",
        f"{PRICES}::test_a_coin_may_be_ten_times_cheaper_and_no_more",
    ),
    bug(
        "a bonus of any size", "giftserver/recharge/prices.py",
        "if amount * of_coins * CHEAPER_MAX < most * coins * more:", "if False:",
        f"{PRICES}::test_the_best_bonus_keeps_the_floor_too",
    ),
    bug(
        "a title of anything", "giftserver/recharge/prices.py",
        "if len(promotion.title) > TITLE_CHARACTERS_MAX or not is_printed(promotion.title):", "if False:",
        f"{PRICES}::test_what_cannot_be_a_price_list_says_why",
    ),
    bug(
        "a mistyped list is told with what it holds", "giftserver/recharge/prices.py",
        ' if len(text) <= ID_CHARACTERS_MAX and is_printed(text) else "…"', "",
        f"{PRICES}::test_what_is_wrong_is_told_in_printable_words",
    ),
)  # fmt: skip

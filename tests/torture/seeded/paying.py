"""Bugs in payments: what is believed, what is credited, and how often."""

from tests.torture.seeded.bug import Bug, bug

PAYMENTS = "tests/giftserver/durable/test_payments.py"
WEBHOOKS = "tests/giftserver/recharge/test_webhooks.py"
BUYING = "tests/giftserver/recharge/test_buying.py"
OPERATING = "tests/giftserver/recharge/test_operating_prices.py"
MOVES = "giftserver/durable/payment_moves.py"
STORED = "giftserver/durable/payments.py"
SERVICE = "giftserver/recharge/service.py"
PLUG_IN = "giftserver/recharge/sandbox.py"
MIGRATION = "giftserver/durable/migrations/versions/r0005_payments.py"

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
        "(stored.provider_ref or news.ref) != news.ref", "False",
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
        'outcome in ("away", "unknown") and', 'outcome == "away" and',
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
)  # fmt: skip

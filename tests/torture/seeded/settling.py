"""Bugs in what comes after a payment: the provider's report, decisions, debts, failed refunds, gifts given back."""

from tests.torture.seeded.bug import SCRIPTS, Bug, bug

BALANCES = "tests/giftserver/recharge/test_balances.py"
REVIEWS = "tests/giftserver/recharge/test_reviews.py"
DEBTS = "tests/giftserver/recharge/test_debts.py"
REFUNDING = "tests/giftserver/recharge/test_refunding.py"
TROUBLE = "tests/giftserver/recharge/test_claims_in_trouble.py"
GIVEN_BACK = "tests/giftserver/recharge/test_claims_and_gifts_given_back.py"
PROMOTIONS = "tests/giftserver/durable/test_promotions.py"
VERIFY = "tests/giftserver/durable/test_verify.py"
MOVES = "giftserver/durable/payment_moves.py"
BOOKING = "giftserver/durable/claim_booking.py"
KEEPING = "giftserver/durable/claims.py"

BUGS: tuple[Bug, ...] = (
    bug(
        "money that comes after closing is old trouble", "giftserver/durable/payment_moves.py",
        "    paid = news.state is State.SUCCEEDED\n", "    paid = False\n",
        "tests/giftserver/durable/test_payments.py::test_trouble_that_was_closed_is_told_again_when_money_comes",
    ),
    bug(
        "what the provider has and we have not is no difference", "giftserver/recharge/balances.py",
        "sorted({*ours, *theirs})", "sorted(ours)",
        f"{BALANCES}::test_what_differs_is_found",
    ),
    bug(
        "a report without an answer agrees", "giftserver/recharge/balances.py",
        "        return self.problem is None and all(", "        return all(",
        f"{BALANCES}::test_a_payment_of_nobody_and_a_provider_that_is_away",
    ),
    bug(
        "a person's word credits what is not paid", "giftserver/recharge/reviews.py",
        "    if done is not None and done.payment.transfer is not None:\n", "    if True:\n",
        f"{REVIEWS}::test_what_was_not_paid_as_ordered_is_given_back_and_never_credited",
    ),
    bug(
        "what goes back after a review can be credited meanwhile", MOVES,
        "    if await was_promised_back(connection, paid.id):\n", "    if False:\n",
        f"{REVIEWS}::test_a_refund_whose_answer_is_lost_is_paid_once_and_nothing_is_credited_meanwhile",
    ),
    bug(
        "trouble that was closed is told for ever", MOVES,
        "(given_back or await was_decided(connection, id, wrong))", "False",
        "tests/giftserver/durable/test_payments.py::test_trouble_that_was_closed_is_told_again_when_money_comes",
    ),
    bug(
        "money is called given back before the provider has paid", "giftserver/recharge/reviews.py",
        "    if await provider.refund(found.ref, left_minor, key):\n",
        "    if await provider.refund(found.ref, left_minor, key) or True:\n",
        f"{REVIEWS}::test_money_that_did_not_go_back_stays_in_review",
    ),
    bug(
        "a refund that failed is asked for under the same key", "giftserver/recharge/reviews.py",
        ' + (f"-{tries}" if tries else "")', "",
        f"{REVIEWS}::test_money_that_did_not_go_back_stays_in_review",
    ),
    bug(
        "captured money is closed and left with the provider", "giftserver/recharge/reviews.py",
        "    if found.kept_minor:\n", "    if False:\n",
        f"{REVIEWS}::test_money_that_nothing_is_credited_for_cannot_be_closed",
    ),
    bug(
        "money that a dispute took is still to be given back", "giftserver/recharge/provider.py",
        " - lost_minor)", ")",
        f"{REVIEWS}::test_money_that_a_dispute_took_is_not_left_with_the_provider",
    ),
    bug(
        "what is to go back is closed instead", "giftserver/durable/reviews.py",
        "        if nothing_moves and (", "        if False and (",
        f"{REVIEWS}::test_a_decision_to_give_back_holds_when_what_is_wrong_ends",
    ),
    bug(
        "what was decided about money that is still there is old trouble", MOVES,
        "            if not kept_minor and (", "            if (",
        f"{REVIEWS}::test_money_that_comes_back_to_the_provider_is_looked_at_again",
    ),
    bug(
        "money that comes back to the provider is nobody's", MOVES,
        "        if wrong is None and kept_minor and now.state is State.REFUNDED:\n", "        if False:\n",
        f"{REVIEWS}::test_money_that_comes_back_to_the_provider_is_looked_at_again",
    ),
    bug(
        "an answer from before a refund brings the trouble back", MOVES,
        " and (asked_at is None or asked_at <= now.updated_at)", " and False",
        f"{REVIEWS}::test_money_that_comes_back_to_the_provider_is_looked_at_again",
    ),
    bug(
        "verify does not look at money that did not go back", "giftserver/durable/proof/payments.py",
        ", UNSTEADY, NOT_REFUNDED, UNTOLD)", ", UNSTEADY)",
        "tests/giftserver/durable/test_payments.py::test_the_proof_finds_what_was_tampered_with",
    ),
    bug(
        "who waits for a look is asked to pay once more", "giftserver/web/payments.py",
        " and payment.review is None\n", "\n",
        f"{REVIEWS}::test_what_was_not_paid_as_ordered_is_given_back_and_never_credited",
    ),
    bug(
        "who owes gets the coins all the same", "giftserver/durable/recharges.py",
        "    debts = await lock_debts(connection, user)\n", "    debts: list[Any] = []\n",
        f"{DEBTS}::test_a_purchase_pays_the_debt_first_and_the_hold_ends_with_it",
    ),
    bug(
        "debts are not locked while they are paid", "giftserver/durable/debts.py",
        " FOR UPDATE OF c\n", "\n",
        f"{DEBTS}::test_orders_that_are_paid_at_once_pay_a_debt_once",
    ),
    bug(
        "a part of a debt ends its hold", "giftserver/durable/debts.py",
        "        if part == debt.coins:\n", "        if True:\n",
        f"{DEBTS}::test_a_purchase_pays_the_debt_first_and_the_hold_ends_with_it",
    ),
    bug(
        "what paid a debt is kept when the claim is won", BOOKING,
        "            repaid = await _repaid(connection, due)\n", "",
        f"{DEBTS}::test_what_paid_a_debt_comes_back_when_the_claim_is_won_after_all",
    ),
    bug(
        "a gift given back costs its creator what was clawed, too", "giftserver/durable/refunds.py",
        "        await return_clawed(connection, row, name)\n", "",
        f"{GIVEN_BACK}::test_what_was_clawed_back_is_not_taken_again",
    ),
    bug(
        "two offers for a first purchase are held at once",
        "giftserver/durable/migrations/versions/r0010_reviews_and_debts.py",
        "ON payment (user_id) WHERE promotion_held AND first_purchase",
        "ON payment (id) WHERE promotion_held AND first_purchase",
        f"{PROMOTIONS}::test_two_first_purchases_are_not_held_by_two_orders",
    ),
    bug(
        "late first purchases each have a bonus", MOVES,
        "same | payment.c.first_purchase if first else same", "same",
        f"{PROMOTIONS}::test_late_first_purchases_have_one_bonus_together",
    ),
    bug(
        "a late payment passes the uses of a promotion", MOVES,
        "    return uses_max is None or not await used_up(connection, paid.promotion, uses_max)\n", "    return True\n",
        f"{PROMOTIONS}::test_late_payments_do_not_pass_the_uses_of_a_promotion",
    ),
    bug(
        "verify does not look at holds", f"{SCRIPTS}/read_wallets.lua",
        "'state', 'state_no', 'spent'", "'nothing', 'nothing', 'spent'",
        f"{VERIFY}::test_a_hold_that_redis_has_otherwise_is_seen",
    ),
    bug(
        "verify does not look at lost diamonds", "giftserver/durable/proof/claims.py",
        "    WHERE c.clawed_diamonds + c.lost_diamonds <> coalesce(g.diamonds, 0)\n", "    WHERE false\n",
        f"{GIVEN_BACK}::test_verify_finds_diamonds_that_are_not_accounted_for",
    ),
)  # fmt: skip

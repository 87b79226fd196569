"""Bugs in what claims of one payment have to do with each other, and with the sums that its provider says."""

from tests.torture.seeded.bug import Bug, bug

CONVERGE = "tests/giftserver/recharge/test_claims_converge.py"
REFUNDING = "tests/giftserver/recharge/test_refunding.py"
CLAIMS = "tests/giftserver/recharge/test_claims.py"
REVIEWS = "tests/giftserver/recharge/test_reviews.py"
BOOKING = "giftserver/durable/claim_booking.py"
NEWS = "giftserver/durable/claim_news.py"
SHARES = "giftserver/durable/claim_shares.py"
KEEPING = "giftserver/durable/claims.py"
KEEPER = "giftserver/recharge/claims.py"
WON = f"{CONVERGE}::test_money_given_back_during_a_dispute_that_is_won_takes_its_coins"
BOUNCES = f"{CONVERGE}::test_a_refund_by_hand_that_bounces_brings_its_coins_back"
CLIPPED = f"{CONVERGE}::test_a_claim_that_was_clipped_by_a_lost_one_owes_what_that_gives_up"
DISPUTED = f"{REVIEWS}::test_money_in_review_that_is_disputed_is_not_given_back_beside_that"

BUGS: tuple[Bug, ...] = (
    bug(
        "a claim that is won leaves the others nothing", BOOKING,
        "share_anew(await booked(connection, due), total, due.paid_minor, unspent)", "list[Shared]()",
        WON, f"{CONVERGE}::test_a_dispute_beside_a_refund_of_the_same_half_takes_its_coins",
    ),
    bug(
        "a claim that is won leaves others its coins, and the buyer, too", BOOKING,
        "            unspent -= one.frozen_coins - one.claim.frozen_coins\n", "", WON,
    ),
    bug(
        "what a claim leaves was never spent", SHARES,
        "min(more, unspent) if more > 0", "more if more > 0", WON,
    ),
    bug(
        "a part of the money is all of the coins", SHARES,
        "total * min(minor, paid_minor) // paid_minor\n", "total\n",
        f"{CLAIMS}::test_a_dispute_about_a_part_claims_that_part_of_the_coins",
    ),
    bug(
        "each claim takes its part, whatever others took", BOOKING,
        "all_coins - sum(int(one.coins) for one in others)", "share(770, due.paid_minor, due.amount_minor)",
        f"{CONVERGE}::test_a_dispute_beside_a_refund_of_the_same_half_takes_its_coins", WON,
    ),
    bug(
        "who owes by what a claim left may go on", BOOKING,
        "    if after.owed_coins > repaid:\n", "    if False:\n", CLIPPED, WON,
    ),
    bug(
        "a hold that was released cannot come again", "giftserver/durable/holds.py",
        "    if (await connection.execute(again)).rowcount:\n        await _renumber(connection, user)\n    else:\n",
        "    if again is not None:\n", CLIPPED, WON,
    ),
    bug(
        "what creators gave back is not given back when a debt shrinks", BOOKING,
        "        clawed.subtract(_by_day(reached))\n        await connection.execute(claim_gift.delete()"
        ".where(claim_gift.c.claim == row.id))\n",
        "", f"{CONVERGE}::test_a_debt_that_shrinks_by_rounding_gives_its_creators_that_back",
    ),
    bug(
        "a claim is booked with the coins it had before", KEEPING,
        "rows.get(due.id) == [due.state, due.wanted, due.coins, due.frozen_coins]",
        "rows.get(due.id, [])[:2] == [due.state, due.wanted]",
        f"{CONVERGE}::test_a_step_read_before_coins_were_left_to_the_claim_books_nothing",
    ),
    bug(
        "coins are frozen that are about to come back", BOOKING,
        '        if any(one.wanted == "won" for one in others):\n            return None\n', "",
        f"{CONVERGE}::test_coins_that_are_about_to_come_back_are_there_to_be_frozen",
    ),
    bug(
        "coins come back before a hold that is on its way", KEEPER,
        "                if await hold_is_coming(self._database, due):\n                    return STILL_S\n", "",
        f"{CONVERGE}::test_coins_do_not_come_back_before_a_hold_that_is_on_its_way",
    ),
    bug(
        "nobody asks once a refund is decided", KEEPER,
        '            await self._inquiry.about(payment, "reconciler")\n', "            pass\n",
        f"{CONVERGE}::test_coins_do_not_come_back_before_a_hold_that_is_on_its_way",
    ),
    bug(
        "a refund that failed later is forgotten", NEWS,
        "    new = await _hear_failed(connection, payment_id, news.failed_refunds)\n", "    new = 0\n",
        f"{REFUNDING}::test_a_refund_that_fails_later_brings_the_coins_back_once",
    ),
    bug(
        "an older answer makes a failed refund a second one", NEWS,
        "    if asked_at is None or (changed_at is not None and asked_at <= changed_at):\n", "    if False:\n",
        f"{REFUNDING}::test_an_answer_that_is_older_than_a_refunds_failure_takes_no_coins",
    ),
    bug(
        "an older answer is not asked for again", NEWS,
        "        await ask_soon(connection, payment_id)\n", "",
        f"{CONVERGE}::test_an_answer_from_before_a_refund_failed_is_asked_for_again",
    ),
    bug(
        "a refund that is being asked for is the provider's own", NEWS,
        "    if 0 <= more <= undecided:", "    if more == 0:",
        f"{CONVERGE}::test_a_refund_whose_answer_is_lost_is_no_other_refund",
    ),
    bug(
        "the same sum given back again is no news", NEWS,
        'f"{id}-{same + 1}" if same else id', "id",
        f"{CONVERGE}::test_the_same_sum_given_back_twice_is_two_claims", BOUNCES,
    ),
    bug(
        "a refund at the provider that bounces keeps its coins", NEWS,
        "            taken.append(row.id)\n", "", BOUNCES,
    ),
    bug(
        "one of two refunds that bounces brings back both", NEWS,
        "    if left < 0:  #", "    if False:  #", BOUNCES,
    ),
    bug(
        "less given back than was told is nobody's", NEWS,
        "wrong if left_minor else None", "None",
        f"{CONVERGE}::test_less_given_back_than_refunds_of_ours_is_for_a_person",
    ),
    bug(
        "a provider that was away is asked hours later", "giftserver/recharge/reconciler.py",
        "                    await put_off_asking(self._database, payment.id, AWAY_S)\n", "                    pass\n",
        f"{CONVERGE}::test_a_provider_that_was_away_is_asked_again_within_a_minute",
    ),
    bug(
        "a refund of less than a coin is not paid", KEEPER,
        "        if due.frozen_coins < due.coins or", "        if not due.coins or due.frozen_coins < due.coins or",
        f"{CONVERGE}::test_a_refund_that_covers_no_whole_coin_is_paid",
    ),
    bug(
        "verify does not compare coins with the money that is gone", "giftserver/durable/proof/claims.py",
        "UNEVEN, UNSHARED, HOLDS", "UNEVEN, HOLDS",
        "tests/giftserver/recharge/test_claims_and_gifts_given_back.py::"
        "test_verify_finds_diamonds_that_are_not_accounted_for",
    ),
    bug(
        "verify does not see that a payment does not tell what went back", "giftserver/durable/proof/payments.py",
        "NOT_REFUNDED, UNTOLD)", "NOT_REFUNDED)",
        "tests/giftserver/durable/test_payments.py::test_the_proof_finds_what_was_tampered_with",
    ),
    bug(
        "disputed money in review is given back beside that", "giftserver/recharge/reviews.py",
        "    if found.disputed_minor and found.kept_minor:\n", "    if False:\n", DISPUTED,
    ),
    bug(
        "a dispute of what is not credited is nobody's", "giftserver/durable/payment_moves.py",
        "            told = await hear_disputes(connection, id, news.disputes)\n",
        "            told = 0 if now.transfer is None else await hear_disputes(connection, id, news.disputes)\n",
        DISPUTED,
    ),
    bug(
        "a dispute of what is not credited never ends in the list", "giftserver/durable/disputes.py",
        '(payment.c.transfer.is_(None) & own.wanted.in_(("won", "lost")), own.wanted)',
        "(own.id.is_(None), own.wanted)",
        DISPUTED,
    ),
    bug(
        "a dispute of what is not credited never ends in its payment", "giftserver/durable/payment_story.py",
        "CASE WHEN p.transfer IS NULL AND c.wanted IN ('won', 'lost') THEN c.wanted ELSE c.state END", "c.state",
        DISPUTED,
    ),
)  # fmt: skip

"""Bugs in disputes and refunds: what is frozen, lost, given back, and who bears it."""

from tests.torture.seeded.bug import SCRIPTS, Bug, bug

CLAIMS = "tests/giftserver/recharge/test_claims.py"
TROUBLE = "tests/giftserver/recharge/test_claims_in_trouble.py"
REFUNDING = "tests/giftserver/recharge/test_refunding.py"
PATHS = "tests/giftserver/recharge/test_dispute_paths.py"
BOOKING = "giftserver/durable/claim_booking.py"
KEEPING = "giftserver/durable/claims.py"
NEWS = "giftserver/durable/claim_news.py"
KEEPER = "giftserver/recharge/claims.py"
LOTS = "giftserver/durable/lots.py"

BUGS: tuple[Bug, ...] = (
    bug(
        "coins are frozen while gifts are not booked yet", KEEPER,
        "        return last <= flushed\n", "        return True\n",
        f"{CLAIMS}::test_nothing_is_frozen_before_the_book_has_every_gift",
    ),
    bug(
        "a wallet is not on hold while it is claimed from", KEEPING,
        "        await place_hold(connection, due.user,", "        _ = (connection, due.user,",
        f"{CLAIMS}::test_an_open_dispute_freezes_what_is_unspent_and_holds_the_wallet",
    ),
    bug(
        "a wallet that is loaded anew is free", f"{SCRIPTS}/load_wallets.lua",
        "'state', ARGV[a + 3],", "'state', 'active',",
        f"{CLAIMS}::test_a_hold_survives_a_lost_redis",
    ),
    bug(
        "a claim is booked twice", BOOKING,
        "        if not await locked(connection, due):\n            return None\n        others = ",
        "        others = ",
        f"{CLAIMS}::test_a_claim_that_moved_meanwhile_is_not_booked_again",
    ),
    bug(
        "another purchase's coins are frozen", BOOKING,
        "min(coins, lot.left, balance)", "min(coins, balance)",
        f"{CLAIMS}::test_an_old_purchase_is_spent_before_a_new_one",
    ),
    bug(
        "creators give back what is theirs for good", BOOKING,
        " if gift.day >= since else 0", "",
        f"{CLAIMS}::test_diamonds_that_are_the_creators_for_good_are_the_platforms_loss",
    ),
    bug(
        "a hold ends while frozen coins are still in the wallet", KEEPER,
        "        if not pending.held and await self._wallets.bring_credits(pending.user) is None:\n",
        "        if False:\n", f"{TROUBLE}::test_a_hold_ends_only_after_the_frozen_coins_have_left",
    ),
    bug(
        "an old page takes a claim back", KEEPING,
        '    """Put the buyer\'s wallet on hold. Nothing when the claim has moved meanwhile."""\n'
        "    async with engine.begin() as connection:\n        if not await locked(connection, due):\n",
        "    async with engine.begin() as connection:\n        if False:\n",
        f"{TROUBLE}::test_an_old_page_takes_no_claim_back",
    ),
    bug(
        "a reopened shard forgets its holds", "giftserver/recovery/coordinator.py",
        "                await self._redis.unlink(keys.wallet(keys.shard_of(user), user))\n", "                pass\n",
        f"{TROUBLE}::test_a_reopened_shard_knows_its_holds",
    ),
    bug(
        "disputed money is refunded as well", KEEPER,
        " or due.amount_minor + beside > due.paid_minor", "",
        f"{TROUBLE}::test_money_that_is_disputed_is_not_refunded_as_well",
    ),
    bug(
        "an older answer undoes a decision", NEWS,
        '(said.wanted.in_(("won", "lost")) | (claim.c.wanted == "warning"))', "(said.wanted == said.wanted)",
        f"{CLAIMS}::test_what_was_decided_is_not_undone_by_an_older_answer",
    ),
    bug(
        "a dispute that is over when it is heard of is left out", NEWS,
        "        if not 1 <= news.amount_minor <= AMOUNT_MAX_MINOR:\n",
        '        if not 1 <= news.amount_minor <= AMOUNT_MAX_MINOR or news.state == "lost":\n',
        "tests/giftserver/recharge/test_webhooks.py::test_the_end_of_a_dispute_that_came_first_is_its_end",
    ),
    bug(
        "spent coins are nobody's debt", BOOKING,
        "        owed(due.user): spent, OWED_TO_PLATFORM: -spent,\n", "",
        f"{CLAIMS}::test_a_lost_dispute_of_spent_coins_claws_back_pending_diamonds",
    ),
    bug(
        "who owes may go on", BOOKING,
        "        if not spent:\n            await let_go(connection, due)\n", "        await let_go(connection, due)\n",
        f"{CLAIMS}::test_a_lost_dispute_of_spent_coins_claws_back_pending_diamonds",
    ),
    bug(
        "a loss that is reversed keeps the diamonds", BOOKING,
        "            reached = await _given_back(connection, due)\n", "            reached: list[Reached] = []\n",
        f"{CLAIMS}::test_lost_and_then_won_is_reversed_exactly",
    ),
    bug(
        "frozen coins are not given back", BOOKING,
        "            await add_to_outbox(connection, due.user, number, back)\n", "            pass\n",
        f"{CLAIMS}::test_a_won_dispute_leaves_everything_as_before",
    ),
    bug(
        "spent coins are refunded", KEEPER,
        "due.frozen_coins < due.coins or ", "",
        f"{REFUNDING}::test_a_refund_that_cannot_be_paid_leaves_everything_as_before",
    ),
    bug(
        "more is refunded than was paid", KEEPING,
        "amount_minor > row.amount_minor - int(await connection.scalar(taken) or 0)", "False",
        f"{REFUNDING}::test_an_operator_gives_money_back_for_unspent_coins",
    ),
    bug(
        "a refund of ours is taken for one of the provider's", NEWS,
        "    more = news.refunded_minor - told\n", "    more = news.refunded_minor\n",
        f"{REFUNDING}::test_an_operator_gives_money_back_for_unspent_coins",
    ),
    bug(
        "what was given back counts as spent", LOTS,
        "            if move.id not in undone:\n", "            if True:\n",
        "tests/giftserver/durable/test_lots.py",
    ),
    bug(
        "a list does not know of disputes", "giftserver/web/payments.py",
        "answer_of(one, [], disputes.get(one.id))", "answer_of(one, [], None)",
        f"{PATHS}::test_lists_say_how_a_dispute_stands",
    ),
    bug(
        "coins that are gone are set aside for ever", "giftserver/durable/history.py",
        'case((transfer.c.kind == "claim_open", became))', "func.nullif(1, 1)",
        f"{PATHS}::test_lists_say_how_a_dispute_stands",
    ),
    bug(
        "another operator's refund is one's own", "giftserver/web/ops_payments.py",
        "    if known != [body.amount_minor, reason]:\n", "    if known[0] != body.amount_minor:\n",
        "tests/giftserver/recharge/test_ways_out.py::test_a_warning_does_not_stop_the_refund_that_avoids_a_dispute",
    ),
)  # fmt: skip

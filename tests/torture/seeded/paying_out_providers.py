"""Bugs in payouts on the provider's side: how often money is sent, and what is concluded from an answer."""

from tests.torture.seeded.bug import Bug, Edit, bug

CONTRACT = "tests/giftserver/recharge/test_contract.py"
PAYPAL_TESTS = "tests/giftserver/recharge/test_paypal_payouts.py"
PLUG_IN = "giftserver/recharge/sandbox.py"
PAYPAL = "giftserver/recharge/paypal_payouts.py"
ONCE = f"{CONTRACT}::test_a_payout_is_made_once_for_its_id"
UNANSWERED = f"{CONTRACT}::test_a_payout_whose_order_was_not_answered_is_found"
STRANGERS = f"{CONTRACT}::test_who_is_not_let_in_knows_nothing_of_a_payout"
ADDRESSES = f"{CONTRACT}::test_an_address_that_cannot_be_one_is_refused"
ITEMS = f"{PAYPAL_TESTS}::test_what_became_of_the_item_is_what_became_of_the_payout"
UNREADABLE = f"{PAYPAL_TESTS}::test_what_cannot_be_read_is_no_answer"

BUGS: tuple[Bug, ...] = (
    Bug(
        "every try is a payout of its own at the sandbox", (
            Edit(PLUG_IN, "import re\n", "import re\nimport time\n"),
            Edit(
                PLUG_IN, 'json=body, headers={"idempotency-key": order.payout}',
                'json=body, headers={"idempotency-key": f"{time.monotonic_ns()}"}',
            ),
        ),
        (ONCE,),
    ),
    bug(
        "a wrong secret says that nothing was paid out", PLUG_IN,
        "            if problem.status not in REFUSALS:", "            if False:", STRANGERS,
    ),
    bug(
        "a payout that cannot be looked for is told as none", PLUG_IN,
        '        except _No as problem:\n            raise ProviderAway(str(problem)) from problem\n',
        "        except _No:\n            return None\n", STRANGERS,
    ),
    bug(
        "the sandbox is asked to pay any address", PLUG_IN,
        "        if not re.fullmatch(ADDRESS, order.address):", "        if False:", ADDRESSES,
    ),
    bug(
        "an event of a payout names nothing", PLUG_IN,
        "event.payout.id, event.payout.payout, event.live", 'event.payout.id, "", event.live',
        f"{CONTRACT}::test_a_genuine_webhook_names_the_payout",
    ),
    bug(
        "a payout's money moves without a name", "giftserver/sandbox/movements.py",
        '"payout", payout.payout, payout.currency', '"payout", "", payout.currency',
        f"{CONTRACT}::test_the_money_of_a_payout_is_listed",
    ),
    bug(
        "a payout of the sandbox is another one with another webhook", "giftserver/sandbox/payouts.py",
        'msgspec.structs.replace(body, description="", webhook_url="")', "body",
        "tests/giftserver/sandbox/test_payouts.py::test_a_key_pays_once",
    ),
    bug(
        "a payout of the sandbox that failed arrives after all", "giftserver/sandbox/payouts.py",
        "kept is not None and kept.payout.state == before.payout.state", "kept is not None",
        "tests/giftserver/sandbox/test_payouts.py::test_one_that_was_moved_by_hand_stays_there",
    ),
    bug(
        "every try is a payout of its own at PayPal", PAYPAL,
        '"sender_batch_id": order.payout,', '"sender_batch_id": f"{order.payout}{id(item)}",', UNANSWERED, ONCE,
    ),
    bug(
        "PayPal's link to the payout that is there is not followed", PAYPAL,
        "if ref := _existing(problem.body):", 'if ref := "":', UNANSWERED,
    ),
    bug(
        "another amount under the same id is taken for it", PAYPAL,
        "    if (found.amount_minor, found.currency) != (order.amount_minor, order.currency):", "    if False:",
        f"{CONTRACT}::test_another_amount_under_the_same_id_is_refused",
    ),
    bug(
        "any refusal of PayPal says that nothing was paid out", PAYPAL,
        'if problem.status == 400 and text_at(problem.body, "name") in WRONG_ORDERS:', "if True:",
        f"{PAYPAL_TESTS}::test_a_refusal_that_may_be_of_the_second_try_only_is_no_refusal",
    ),
    bug(
        "too little money at PayPal says that nothing was paid out", PAYPAL,
        '("VALIDATION_ERROR", "INVALID_REQUEST")', '("VALIDATION_ERROR", "NON_HOLDING_CURRENCY")',
        f"{PAYPAL_TESTS}::test_a_refusal_that_may_be_of_the_second_try_only_is_no_refusal",
    ),
    bug(
        "an order that PayPal will never take is tried for ever", PAYPAL,
        'in WRONG_ORDERS:\n            raise\n', "in WRONG_ORDERS:\n            pass\n",
        f"{PAYPAL_TESTS}::test_what_is_wrong_with_an_order_refuses_it",
    ),
    bug(
        "PayPal is asked to pay any address", PAYPAL,
        "    if not re.fullmatch(PAYOUTS.pattern, order.address):", "    if False:", ADDRESSES,
    ),
    bug(
        "what PayPal does not answer is told as no payout", PAYPAL,
        "        if problem.status == 404:\n            return None\n", "        return None\n", STRANGERS,
    ),
    bug("what nobody claimed is paid", PAYPAL, '"UNCLAIMED": "pending"', '"UNCLAIMED": "paid"', ITEMS),
    bug("what was blocked has failed", PAYPAL, '"BLOCKED": "pending"', '"BLOCKED": "failed"', ITEMS),
    bug("what came back is still paid", PAYPAL, '"REFUNDED": "returned"', '"REFUNDED": "paid"', ITEMS),
    bug(
        "a batch that is through has paid", PAYPAL,
        '"SUCCESS": "pending", "DENIED"', '"SUCCESS": "paid", "DENIED"', ITEMS,
    ),
    bug(
        "an item of a denied batch waits for ever", PAYPAL,
        "        state, said = BATCHES[status], status\n", "        pass\n", ITEMS,
    ),
    bug(
        "another payout's batch is taken for it", PAYPAL, "_batch_id(batch) != payout or ", "", UNREADABLE,
    ),
    bug("of two items the first is the payout", PAYPAL, " or len(items) > 1", "", UNREADABLE),
    bug(
        "payouts of the account's other business are ours", PAYPAL, "OURS.fullmatch(payout)", "payout",
        f"{PAYPAL_TESTS}::test_payouts_of_the_accounts_other_business_are_left_alone",
    ),
    bug(
        "events of batches name nothing", PAYPAL,
        ' or text_at(resource, "batch_header", "payout_batch_id")', "",
        f"{PAYPAL_TESTS}::test_events_of_items_and_batches_name_the_payout",
    ),
)  # fmt: skip

"""Bugs in the rules that open cases: their numbers, what they count, and how often a case is opened."""

from tests.torture.seeded.bug import Bug, bug

GIFTING = "tests/giftserver/rules/test_gifting.py"
BUYING = "tests/giftserver/rules/test_buying.py"
KEEPER = "tests/giftserver/rules/test_keeper.py"
ADDRESSES = "tests/giftserver/rules/test_addresses.py"
NUMBERS = "giftserver/rules/numbers.py"
INCOME = f"{GIFTING}::test_most_of_a_creators_income_from_one_sender"
RING = f"{GIFTING}::test_coins_in_a_circle"
LOOP = f"{GIFTING}::test_what_is_bought_goes_to_one_creator_again_and_again"
FAST = f"{BUYING}::test_too_much_too_fast"
NEW = f"{BUYING}::test_much_right_after_the_first_purchase"
DISPUTES = f"{BUYING}::test_dispute_after_dispute"
AGAIN = f"{KEEPER}::test_after_it_was_closed_it_is_quiet_for_a_while"
PAIRS = "giftserver/durable/gift_pairs.py"
FINDINGS = "giftserver/durable/rules/findings.py"
RULES = "giftserver/durable/rules"

BUGS: tuple[Bug, ...] = (
    bug(
        "70 % of an income is too much", f"{RULES}/gifting.py",
        "p.diamonds * 100 > i.total", "p.diamonds * 100 >= i.total",
        INCOME,
    ),
    bug(
        "a small creator's fan is a case", NUMBERS,
        "DIAMONDS_MIN: Final = 10_000", "DIAMONDS_MIN: Final = 9_999",
        INCOME,
    ),
    bug(
        "gifts that are given back are income", PAIRS,
        " AND NOT EXISTS (SELECT FROM refund_due AS d WHERE d.gift = taken.id)", "",
        INCOME,
    ),
    bug(
        "a circle of less than a thousand coins", NUMBERS,
        "RING_COINS_MIN: Final = 1_000", "RING_COINS_MIN: Final = 999",
        RING,
    ),
    bug(
        "only what goes back at once is a circle", NUMBERS,
        "RING_MEMBERS_MAX: Final = 4", "RING_MEMBERS_MAX: Final = 3",
        RING,
    ),
    bug(
        "a circle of two days", NUMBERS,
        "RING_HOURS: Final = 24", "RING_HOURS: Final = 48",
        RING,
    ),
    bug(
        "less than 90 % given on", f"{RULES}/looping.py",
        "if coins * 100 >= row.coins * LOOP_GIVEN_PERCENT", "if coins * 100 >= row.coins * 89",
        LOOP,
    ),
    bug(
        "half of an income is most of it", f"{RULES}/looping.py",
        "coins * 100 <= pair.total", "coins * 100 < pair.total",
        LOOP,
    ),
    bug(
        "a gift is of every purchase before it", "giftserver/rules/loops.py",
        "                left -= taken\n", "",
        f"{GIFTING}::test_coins_are_given_on_once_and_soon",
    ),
    bug(
        "ten purchases within an hour", NUMBERS,
        "PURCHASES_HOUR: Final = 10", "PURCHASES_HOUR: Final = 9",
        FAST,
    ),
    bug(
        "35,000 coins within a day", NUMBERS,
        "COINS_DAY: Final = 35_000", "COINS_DAY: Final = 34_999",
        FAST,
    ),
    bug(
        "twenty declines within an hour", NUMBERS,
        "DECLINES_HOUR: Final = 20", "DECLINES_HOUR: Final = 19",
        FAST,
    ),
    bug(
        "an hour is two", f"{RULES}/buying.py",
        "count(*) OVER (PARTITION BY user_id ORDER BY at RANGE '1 hour' PRECEDING) AS purchases",
        "count(*) OVER (PARTITION BY user_id ORDER BY at RANGE '2 hours' PRECEDING) AS purchases",
        FAST,
    ),
    bug(
        "5,000 coins of a new account", NUMBERS,
        "ACCOUNT_COINS: Final = 5_000", "ACCOUNT_COINS: Final = 4_999",
        NEW,
    ),
    bug(
        "who bought long ago is new", f"{RULES}/buying.py",
        "AND o.created_at < :earlier", "AND o.created_at < :earlier AND false",
        NEW,
    ),
    bug(
        "an account is new for two days", NUMBERS,
        "ACCOUNT_HOURS: Final = 24", "ACCOUNT_HOURS: Final = 48",
        NEW,
    ),
    bug(
        "one dispute is many", NUMBERS,
        "DISPUTES_MIN: Final = 2", "DISPUTES_MIN: Final = 1",
        DISPUTES,
    ),
    bug(
        "a warning is a dispute", f"{RULES}/buying.py",
        " AND c.wanted <> 'warning'", "",
        DISPUTES,
    ),
    bug(
        "a case is opened again at once", FINDINGS,
        "(c.state = 'open' OR c.closed_at > :since)", "c.state = 'open'",
        AGAIN,
    ),
    bug(
        "a closed case is quiet however it grows", FINDINGS,
        "not row.is_open and one.facts", "False and one.facts",
        AGAIN,
    ),
    bug(
        "two workers find the same twice", FINDINGS,
        "        if not await unknown(connection, source, [found], now):\n            return None\n", "",
        f"{KEEPER}::test_what_another_worker_opened_meanwhile_is_known",
    ),
    bug(
        "two workers find the same side by side", FINDINGS,
        '        await connection.execute(IN_TURN, {"subject": f"{source.name}:{found.person}"})\n', "",
        f"{KEEPER}::test_what_another_worker_opened_meanwhile_is_known",
    ),
    bug(
        "an open case is told each minute", FINDINGS,
        "row is None or (not row.is_open and", "row is None or (",
        f"{KEEPER}::test_an_open_case_gets_the_finding_once",
    ),
    bug(
        "every rule puts wallets on hold", "giftserver/rules/keeper.py",
        "hold = source.name in self._hold", "hold = True",
        f"{KEEPER}::test_a_hold_only_where_the_setting_says_so",
    ),
    bug(
        "one rule that fails stops all", "giftserver/rules/keeper.py",
        "        except Exception as problem:", "        except ZeroDivisionError as problem:",
        f"{KEEPER}::test_a_rule_that_fails_stops_no_other",
    ),
    bug(
        "gifts are added twice", PAIRS,
        ".with_for_update(skip_locked=True)", "",
        f"{GIFTING}::test_sums_of_who_gave_whom_are_proved",
    ),
    bug(
        "a buyer has a network to choose addresses from", "giftserver/rules/addresses.py",
        "IPV6_PREFIX: Final = 64", "IPV6_PREFIX: Final = 128",
        f"{ADDRESSES}::test_a_network_of_ipv6_is_one_address",
    ),
    bug(
        "orders from an address are not counted", "giftserver/web/payments.py",
        "if wait_ms := call.services.order_allowance.take(client.host if client else \"\"):", "if wait_ms := 0:",
        f"{ADDRESSES}::test_orders_without_end_are_refused",
    ),
    bug(
        "the worker follows no rules", "giftserver/worker.py",
        "    if settings.rules_every_s:\n", "    if False:\n",
        f"{KEEPER}::test_the_worker_follows_the_rules",
    ),
)  # fmt: skip

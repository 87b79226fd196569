"""Bugs in limits: of what is sent and bought, of guardians, and of age."""

from tests.torture.seeded.bug import SCRIPTS, Bug, bug

SENDING = "tests/giftserver/limits/test_sending.py"
LOOSENING = "tests/giftserver/limits/test_loosening.py"
GUARDIANS = "tests/giftserver/limits/test_guardians.py"
CHECKOUT = "tests/giftserver/recharge/test_limits_at_checkout.py"
GIFTS = f"{SCRIPTS}/send_gifts.lua"
DECIDING = "giftserver/durable/limits.py"
BOUGHT = "giftserver/durable/bought.py"
EACH = f"{SENDING}::test_each_limit_holds_from_the_moment_it_is_set"
STRICTER = f"{SENDING}::test_what_was_decided_can_only_be_made_stricter_at_once"
GONE = f"{SENDING}::test_what_was_spent_is_known_again_after_the_wallet_is_gone"
MIDNIGHT = f"{SENDING}::test_fifty_sockets_at_midnight_of_the_senders_zone"
ORDERS = f"{CHECKOUT}::test_an_order_counts_until_it_ends_unpaid"
ZONES = "tests/giftserver/limits/test_zones.py::test_no_sequence_of_zones_allows_more_than_one_of_them_alone"
OFTEN = "tests/giftserver/limits/test_decisions.py::test_nobody_loosens_without_end"
BESIDE = f"{GUARDIANS}::test_a_guardians_limits_hold_beside_ones_own"

BUGS: tuple[Bug, ...] = (
    bug("the platform's limit is nobody's", GIFTS, "if day < 0 then day = day_max end", "", EACH),
    bug("a gift of any size", GIFTS, "if gift >= 0 and coins > gift then", "if false then", EACH),
    bug("a day without end", GIFTS, "if day >= 0 and spent[2] + coins > day then", "if false then", MIDNIGHT),
    bug("a month without limit", GIFTS, "if month >= 0 and spent[4] + coins > month then", "if false then", EACH),
    bug("a budget for nothing", GIFTS, "if session >= 0 and now_s < limits[6]", "if false and now_s < limits[6]", EACH),
    bug("a break that is none", GIFTS, "if now_s < limits[7] then", "if false then", EACH),
    bug(
        "what is spent is not counted", GIFTS,
        "'last_seq', seq_text, 'spent', cmsgpack.pack(spent))", "'last_seq', seq_text)", EACH,
    ),
    bug(
        "a day that never ends", GIFTS,
        "if now_s >= spent[1] or now_s >= spent[3] then", "if now_s >= spent[3] then", MIDNIGHT,
    ),
    bug(
        "everybody who comes at midnight begins the day anew", f"{SCRIPTS}/roll_windows.lua",
        "if now_s >= spent[1] then spent[1]", "if true then spent[1]", MIDNIGHT,
    ),
    bug(
        "a day is where the web process's clock is", f"{SCRIPTS}/load_wallets.lua",
        "  if now_s < day_from or now_s >= day_until or now_s < month_from or now_s >= month_until then\n",
        "  if false then\n", f"{SENDING}::test_a_clock_of_ours_that_is_a_day_off_counts_the_servers_day",
    ),
    bug(
        "a day has 24 hours when the clock is set", "giftserver/ledger/limits.py",
        "_begin(today, place), _begin(today + timedelta(days=1), place),",
        "_begin(today, place), _begin(today, place) + 86_400,",
        "tests/giftserver/limits/test_windows.py::test_a_day_is_as_long_as_its_clock_says",
    ),
    bug("another zone is a new day", DECIDING, "DAYS_HELD_S: Final = 8 * 86_400", "DAYS_HELD_S: Final = 0", ZONES),
    bug("another zone is a new month", DECIDING, "MONTHS_HELD_S: Final = 35 *", "MONTHS_HELD_S: Final = 8 *", ZONES),
    bug(
        "only the last zone is remembered", DECIDING,
        "for zone, left_at in standing.zones_before:", "for zone, left_at in standing.zones_before[:1]:", ZONES,
    ),
    bug(
        "the midnight of a zone that was left begins a new day", f"{SCRIPTS}/roll_windows.lua",
        "if ARGV[4] == '1' and", "if false and",
        "tests/giftserver/limits/test_zones.py::test_the_midnight_of_a_zone_that_was_left_is_not_the_new_ones",
    ),
    bug(
        "what waits in the stream was not spent", f"{SCRIPTS}/load_wallets.lua",
        "if gift[1] >= from_s then coins = coins + gift[2] end", "", GONE,
    ),
    bug(
        "what PostgreSQL has was not spent", "giftserver/durable/spending.py",
        "known.number, known.zones, known.limits, known.windows, row.day, row.month, row.session",
        "known.number, known.zones, known.limits, known.windows", GONE,
    ),
    bug(
        "a wallet without its limits", "giftserver/ledger/wallets.py",
        "_arguments(state.spending or unlimited(self.now_s()))", "_arguments(unlimited(self.now_s()))", GONE,
    ),
    bug(
        "limits wait for the worker", "giftserver/limits/service.py",
        "            await self.bring(user)\n        except (RedisError, OSError) as problem:  # the worker",
        "            pass\n        except (RedisError, OSError) as problem:  # the worker", EACH,
    ),
    bug("what waits never begins", "giftserver/limits/service.py", "brought += await self.bring(user)", "pass", EACH),
    bug("an older Redis brings older limits", "giftserver/durable/restore.py",
        "    UNION SELECT user_id FROM limit_change WHERE applied_at > now() - make_interval(secs => :seconds)\n",
        "    UNION SELECT user_id FROM limit_change WHERE applied_at > now() + make_interval(secs => :seconds)\n",
        f"{SENDING}::test_a_redis_that_came_back_older_does_not_bring_old_limits_back",
    ),
    bug("higher limits at once", DECIDING, "RAISE_S if looser else 0)", "0)", STRICTER),
    bug(
        "no limit is a low limit", DECIDING, "return any(_in_force({coins, beside}, default) >",
        "return any(_in_force({coins or 0, beside}, default) >", STRICTER,
    ),
    bug(
        "a limit is judged alone", DECIDING, "{beside, waiting.get((other, amount), beside)}, default)",
        "{None}, default)", f"{LOOSENING}::test_a_guardians_stricter_limit_above_the_platforms_begins_at_once",
    ),
    bug(
        "what waits beside a decision is not seen", DECIDING,
        "{beside, waiting.get((other, amount), beside)}, default)", "{beside}, default)",
        f"{LOOSENING}::test_nothing_gets_looser_within_a_day_of_any_decision",
    ),
    bug(
        "what waits begins after all", DECIDING,
        "(PARTITION BY user_id, scope, field ORDER BY id)\n    )",
        "(PARTITION BY user_id, scope, field ORDER BY from_at)\n    )", STRICTER,
    ),
    bug("anything is decided without end", DECIDING, "if just_now and number > LOOSER_MAX:", "if False:", OFTEN),
    bug(
        "who decided often cannot take a break", DECIDING,
        "if just_now and number > LOOSER_MAX:", "if number >= LOOSER_MAX:", OFTEN,
    ),
    bug("breaks get shorter", DECIDING, "    if before is not None and until < before:\n", "    if False:\n", STRICTER),
    bug("budgets grow", DECIDING, "        if coins > running.coins:\n", "        if False:\n", STRICTER),
    bug(
        "the looser of two limits", DECIDING,
        "return min((coins for coins in decided if coins is not None), default=None)",
        "return max((coins for coins in decided if coins is not None), default=None)", BESIDE,
    ),
    bug(
        "anybody's ward", "giftserver/limits/service.py",
        "if by is not None and not await is_guardian(connection, str(by.user), user):", "if False:", BESIDE,
    ),
    bug(
        "a code for everybody", "giftserver/durable/guardians.py",
        "                guardian_code.c.hash == _hash(code), guardian_code.c.used_at.is_(None),\n",
        "                guardian_code.c.hash == _hash(code),\n",
        f"{GUARDIANS}::test_a_code_links_one_person_once",
    ),
    bug(
        "children send", "giftserver/gifts/service.py",
        "            if refusal := await self._too_young(sender):\n                return refusal\n", "",
        f"{GUARDIANS}::test_who_is_too_young",
    ),
    bug(
        "children buy", "giftserver/web/payments.py",
        "    if refusal := await call.services.limits.too_young(call.identity):\n        return refusal\n", "",
        f"{GUARDIANS}::test_who_is_too_young",
    ),
    bug(
        "a store for children", "giftserver/web/store.py",
        "if call.identity is None or await limits.too_young(call.identity) is None:", "if True:",
        f"{GUARDIANS}::test_who_is_too_young",
    ),
    bug(
        "orders are counted side by side", BOUGHT,
        '    await connection.execute(IN_TURN, {"user": user})\n', "",
        "tests/giftserver/durable/test_bought.py::test_an_order_waits_for_the_one_before_it",
    ),
    bug(
        "an order that ended counts for ever", BOUGHT,
        "        \"unpaid\": [state.value for state in ENDED_UNPAID],\n    }  # fmt: skip\n",
        "        \"unpaid\": [],\n    }  # fmt: skip\n", ORDERS,
    ),
    bug(
        "late money counts for a day that is over", BOUGHT, "AND ended.n < paid.n", "AND false",
        f"{CHECKOUT}::test_money_that_comes_after_the_order_expired_counts_when_it_comes",
    ),
    bug(
        "late money counts for no day", BOUGHT,
        "AND updated_at >= least(to_timestamp(:month_s)", "AND created_at >= least(to_timestamp(:month_s)",
        f"{CHECKOUT}::test_money_that_comes_after_the_order_expired_counts_when_it_comes",
    ),
    bug(
        "money that went back without coins counts for ever", BOUGHT,
        " AND (state <> 'refunded' OR transfer IS NOT NULL)", "",
        f"{CHECKOUT}::test_money_that_went_back_before_there_were_coins_is_nobodys_first_purchase",
    ),
    bug("a break from sending alone", BOUGHT, "    if locked_s:\n", "    if False:\n", ORDERS),
    bug(
        "a budget for gifts alone", BOUGHT,
        "    if standing.budget is not None:\n        ends_s", "    if False:\n        ends_s",
        f"{CHECKOUT}::test_a_sessions_budget_holds_for_orders",
    ),
    bug(
        "a budget counts what was ordered before it", BOUGHT, "(WHERE counts_at >= :session_from)", "(WHERE true)",
        f"{CHECKOUT}::test_a_sessions_budget_holds_for_orders",
    ),
    bug(
        "anybody buys anything at first", BOUGHT, "[] if first_day == NONE else await", "[] if True else await",
        f"{CHECKOUT}::test_who_is_new_buys_little_at_first",
    ),
    bug(
        "who orders and pays days later was never new", "giftserver/durable/bought.py",
        "SELECT min(at) FROM payment_step WHERE payment = p.id AND payment_step.state IN ('succeeded', 'credited')",
        "SELECT p.created_at",
        "tests/giftserver/recharge/test_limits_at_checkout.py::test_who_is_new_buys_little_at_first",
    ),
    bug(
        "the machine's own zone is anybody's", "giftserver/zones.py",
        ' - {"localtime", "Factory"}', "",
        "tests/giftserver/web/test_statements.py::test_wrong_months_and_zones_are_refused",
    ),
    bug(
        "a note runs in a spreadsheet that splits at semicolons", "giftserver/web/statement_csv.py", "(^|[;,", "(^|[,",
        "tests/giftserver/web/test_statements.py::test_no_note_runs_in_a_spreadsheet",
    ),
    bug(
        "other limits in another process are not noticed", "giftserver/durable/same_limits.py",
        "            if mine != theirs:\n", "            if False:\n",
        "tests/giftserver/web/test_health.py::test_processes_that_keep_other_limits_are_told",
    ),
    bug(
        "who starts beside others says nothing of their limits", "giftserver/app.py",
        "        for difference in await limits_that_differ(database):\n", "        for difference in ():\n",
        "tests/giftserver/web/test_health.py::test_processes_that_keep_other_limits_are_told",
    ),
)  # fmt: skip

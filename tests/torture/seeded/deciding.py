"""Bugs in the scripts that decide gifts, load wallets and apply credits, and in the client that calls them."""

from tests.torture.seeded.bug import COORDINATOR, LEDGER, SAFEGUARDS, SCRIPTS, WORKER, Bug, Edit, bug

SEND = f"{SCRIPTS}/send_gifts.lua"
LOAD = f"{SCRIPTS}/load_wallets.lua"
CREDIT = f"{SCRIPTS}/apply_credit.lua"
CLIENT = "giftserver/ledger/ledger.py"
GUARD = "giftserver/ledger/guarded.py"
SERVICE = "giftserver/gifts/service.py"
PIPE = "giftserver/cluster/pipe.py"
TROUBLE = "tests/giftserver/ledger/test_trouble.py"
PIPES = "tests/giftserver/cluster/test_pipe.py"

BUGS = (
    bug(
        "a gift overtakes one of its sender that waits for its room", SERVICE,
        "                await before\n", "                pass\n",
        "tests/giftserver/gifts/test_order.py",
    ),
    bug(
        "a key that was seen is decided again", SEND,
        "  if seen then\n", "  if false then\n",
        f"{LEDGER}::test_same_key_returns_the_same_receipt",
    ),
    bug(
        "the body under a key is not compared", SEND,
        "    if receipt[1] ~= request_hash then return nil, {'KEY_REUSED', ''} end\n", "",
        f"{LEDGER}::test_same_key_with_another_body_is_refused",
    ),
    bug(
        "a key is everybody's", CLIENT,
        'f"{receipts}{sender}:{order.key}"', 'f"{receipts}{order.key}"',
        f"{LEDGER}::test_anothers_key_is_another_key",
    ),
    Bug(
        "a receipt is everybody's who knows its key",
        (
            Edit(CLIENT, 'f"{receipts}{sender}:{order.key}"', 'f"{receipts}{order.key}"'),
            Edit("giftserver/ledger/keys.py", 'f"{receipts(shard)}{user}:{key}"', 'f"{receipts(shard)}{key}"'),
        ),
        (f"{LEDGER}::test_receipt_of_a_key",),
    ),
    bug(
        "the receipt is not stored", SEND,
        "  redis.call('SET', receipt_key, cmsgpack.pack(receipt), 'PX', ARGV[4])\n", "",
        f"{LEDGER}::test_same_key_returns_the_same_receipt",
    ),
    bug(
        "the wallet is written before the event", SEND,
        "  local added = redis.pcall(",
        "  redis.call('HSET', wallet_key, 'coins', text_of(balance - coins))\n  local added = redis.pcall(",
        f"{LEDGER}::test_a_rewound_sequence_changes_nothing",
    ),
    bug(
        "more than the balance is spent", SEND,
        "  if balance < coins then return nil, {'INSUFFICIENT', wallet[1]} end\n", "",
        f"{LEDGER}::test_exactly_the_affordable_is_spent",
    ),
    bug(
        "the last coins are spent twice", SEND,
        "  local left = balance - coins\n", "  local left = balance\n",
        "tests/giftserver/web/test_commands.py::test_two_devices_spend_the_last_coins",
    ),
    bug(
        "gifts to oneself are taken", SEND,
        "  if sender == creator then return nil, {'SELF_GIFT', ''} end\n", "",
        f"{LEDGER}::test_self_gift_is_refused",
    ),
    bug(
        "a missing wallet is an empty one", SEND,
        "  if not wallet[1] or not limits or not spent then return nil, {'NOT_LOADED', ''} end\n",
        "  if not wallet[1] then wallet = {'0', 'active'} end\n",
        f"{LEDGER}::test_deleted_wallet_is_loaded_with_what_is_not_flushed",
    ),
    bug(
        "negative amounts are taken", SEND,
        "number >= 0 and number <= AMOUNT_MAX", "number <= AMOUNT_MAX",
        f"{SAFEGUARDS}::test_diamonds_are_not_taken_back",
    ),
    bug(
        "any number of coins is taken", SEND,
        "  if not whole(coins) or not whole(diamonds) or coins < 1 then return nil, {'BAD_AMOUNT', ''} end\n", "",
        f"{LEDGER}::test_amounts_out_of_range_are_refused_by_the_script",
    ),
    bug(
        "old keys are taken", SEND,
        "key_ms < now_ms - KEY_AGE_MAX_MS or ", "",
        f"{LEDGER}::test_keys_out_of_time_are_refused",
    ),
    bug(
        "keys of the future are taken", SEND,
        " or key_ms > now_ms + KEY_AHEAD_MAX_MS", "",
        f"{LEDGER}::test_keys_out_of_time_are_refused",
    ),
    bug(
        "frozen wallets spend", SEND,
        "  if wallet[2] ~= 'active' then return nil, {'FROZEN', ''} end\n", "",
        f"{LEDGER}::test_frozen_wallets_do_not_spend",
    ),
    bug(
        "a fenced shard takes gifts", SEND,
        "  if not epoch or state ~= 'open' then", "  if not epoch then",
        f"{LEDGER}::test_a_shard_that_is_not_open_takes_nothing",
    ),
    bug(
        "a stale epoch is taken", SEND,
        "  if epoch ~= ARGV[1] then return {'STALE_EPOCH', epoch} end\n", "",
        f"{LEDGER}::test_a_call_with_a_stale_epoch_writes_nothing",
    ),
    bug(
        "a lease that is over is taken", SEND,
        "  if lease_ms > 0 and lease_ms < now_ms then return {'LEASE', ''} end\n", "",
        f"{COORDINATOR}::test_without_a_lease_nobody_pays",
    ),
    bug(
        "days are counted by the clock of whoever calls", SEND,
        "  if tonumber(ARGV[5]) ~= day then return {'STALE_DAY', text_of(day)} end\n", "",
        f"{TROUBLE}::test_a_process_whose_clock_is_a_day_off",
    ),
    bug(
        "a Redis without memory to spare takes gifts", SEND,
        "  if meta[7] == '1' then return {'MEMORY', ''} end\n", "",
        f"{COORDINATOR}::test_a_full_redis_needs_room_before_it_takes_gifts_again",
    ),
    bug(
        "a lost lease is one without an end", SEND,
        "  if not lease_ms then return {'FENCED', 'no lease'} end\n", "  lease_ms = lease_ms or 0\n",
        f"{TROUBLE}::test_a_shard_without_a_lease_is_closed",
    ),
    bug(
        "gifts wait for one stalled call after another", CLIENT,
        "                self._turn_away(queue)\n", "",
        f"{TROUBLE}::test_nobody_waits_for_one_stalled_call_after_another",
    ),
    bug(
        "marks cannot move in a full Redis", f"{SCRIPTS}/advance_mark.lua",
        "#!lua flags=allow-oom\n", "",
        f"{COORDINATOR}::test_a_full_redis_is_freed_by_the_flusher",
    ),
    bug(
        "there is no backpressure", SEND,
        "  if seq - flushed >= backlog_max then return nil, {'BACKLOG', ''} end\n", "",
        f"{LEDGER}::test_backlog_over_its_cap_is_refused",
    ),
    Bug(
        "any run of Redis may take gifts",
        (
            Edit(SEND, "  if meta[8] ~= RUN then return {'FENCED', 'run'} end\n"),
            Edit(GUARD, "            if found != run:\n", "            if False:\n"),
            Edit(GUARD, "            if await run_of(server) != run:\n", "            if False:\n"),
        ),
        (f"{COORDINATOR}::test_after_a_restart_nobody_pays_until_the_run_is_approved",),
    ),
    bug(
        "a wallet is loaded without the gifts in the stream", LOAD,
        " - (spent[user] or 0)\n", "\n",
        f"{LEDGER}::test_deleted_wallet_is_loaded_with_what_is_not_flushed",
    ),
    bug(
        "a wallet that is there is loaded over", LOAD,
        "if present[1] and whole(present[2], 7) and whole(present[3], 6) then return {'PRESENT', present[1]} end", "",
        f"{SAFEGUARDS}::test_a_wallet_that_is_there_is_not_loaded_over",
    ),
    bug(
        "a credit is applied twice", CREDIT,
        "if number <= last then return {'REPEAT', wallet[1]} end\n", "if number <= last then number = last + 1 end\n",
        f"{LEDGER}::test_the_script_takes_the_next_credit_only",
    ),
    Bug(
        "a credit that was applied and not marked comes twice",
        (
            Edit(
                CREDIT, "if number <= last then return {'REPEAT', wallet[1]} end\n",
                "if number <= last then number = last + 1 end\n",
            ),
            Edit("giftserver/ledger/wallets.py", "credits_after(user, last)", "credits_after(user, last - 1)"),
        ),
        (f"{WORKER}::test_killed_between_redis_and_mark",),
    ),
    bug(
        "a credit is applied although one before it is missing", CREDIT,
        "if number ~= last + 1 then return {'GAP', wallet[2]} end\n", "",
        f"{LEDGER}::test_the_script_takes_the_next_credit_only",
    ),
    bug(
        "a lost answer is told as a refusal", CLIENT,
        '            return [Refused(Reason.UNKNOWN, "timeout")] * len(orders)\n',
        '            return [Refused(Reason.TRY_AGAIN, "timeout")] * len(orders)\n',
        f"{LEDGER}::test_no_answer_in_time_is_unknown_and_the_key_tells",
    ),
    bug(
        "a cancelled call's reply goes to the next one", PIPE,
        "                future, _ = self._waiting.popleft()\n"
        "                if future.done():\n                    continue\n",
        "                while (future := self._waiting.popleft()[0]).done():\n                    pass\n",
        f"{PIPES}::test_a_cancelled_call_keeps_its_place",
    ),
    bug(
        "a connection is used again after a lost answer", PIPE,
        "            self._tasks.append(self._loop.create_task(self.end(RedisSilent(\"no reply in time\"))))\n",
        "            self._waiting.popleft()[0].set_exception(RedisSilent(\"no reply in time\"))\n"
        "            self._look()\n",
        f"{PIPES}::test_silence_ends_the_connection",
    ),
    bug(
        "nobody tells calls that their connection is lost", PIPE,
        "                future.set_exception(problem if place < sent else NotSent(str(problem)))\n",
        "                pass\n",
        f"{PIPES}::test_closing_leaves_nobody_waiting",
    ),
    bug(
        "a call that may have been carried out is told as not sent", PIPE,
        "problem if place < sent else NotSent(str(problem))", "NotSent(str(problem))",
        f"{PIPES}::test_silence_ends_the_connection",
    ),
)  # fmt: skip

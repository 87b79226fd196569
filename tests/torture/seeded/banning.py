"""Bugs in bans from live: rooms that stay open, open again, or open beside it, and gifts that come too late."""

from tests.torture.seeded.bug import Bug, bug

DESK = "tests/giftserver/cases/test_bans.py"
BOOK = "tests/giftserver/durable/test_bans.py"
CASES = "giftserver/durable/cases.py"
BANS = "giftserver/durable/bans.py"
ROOMS = "giftserver/durable/rooms.py"
DIRECTORY = "giftserver/gifts/rooms.py"
CLOSES = f"{DESK}::test_a_ban_closes_open_rooms_and_none_opens_until_it_ends"
RACED = f"{DESK}::test_every_coin_of_a_gift_that_raced_a_ban_is_back"

BUGS: tuple[Bug, ...] = (
    bug(
        "a ban leaves open rooms open", CASES,
        "        closed = await close_rooms_of(connection, case.person)\n", "        closed: list[str] = []\n",
        CLOSES,
    ),
    bug(
        "who is banned opens a room", ROOMS,
        "            await check_not_banned(connection, was.creator)\n", "            pass\n",
        CLOSES,
    ),
    bug(
        "who is banned is given an open room", ROOMS,
        "            await check_not_banned(connection, record.creator)\n", "            pass\n",
        f"{DESK}::test_a_live_room_is_not_given_to_who_is_banned",
    ),
    bug(
        "an opening overlooks a ban under way", BANS,
        "    await connection.execute(OPENING)\n", "",
        f"{BOOK}::test_what_would_open_a_room_waits_for_a_ban_under_way",
    ),
    bug(
        "a ban overlooks an opening under way", BANS,
        "    await connection.execute(BANNING)\n", "",
        f"{BOOK}::test_a_ban_waits_for_what_opens_a_room_and_closes_it",
    ),
    bug(
        "a room is given away beside a ban", ROOMS,
        "        await before_opening(connection)  # an open room may be given to somebody else\n", "",
        f"{BOOK}::test_what_would_open_a_room_waits_for_a_ban_under_way",
    ),
    bug(
        "gifts after a ban's closing are kept", ROOMS,
        '    await connection.execute(CLOSED, {"ids": ids})\n    return ids\n', "    return ids\n",
        RACED,
    ),
    bug(
        "a ban's closing has no time until somebody books", DIRECTORY,
        "                await self._changed(room_id)\n        await self._time_closings()\n",
        "                await self._changed(room_id)\n",
        RACED,
    ),
    bug(
        "other processes do not hear of rooms that a ban closed", DIRECTORY,
        "                await self._changed(room_id)\n", "                pass\n",
        f"{DESK}::test_every_web_process_knows_of_a_ban_at_once",
    ),
    bug(
        "the process that bans goes on with what it knew", DIRECTORY,
        "        for room_id in room_ids:\n            self.forget(room_id)\n", "",
        f"{DESK}::test_a_ban_is_a_ban_while_nobody_can_be_told",
    ),
    bug(
        "a ban is not in the audit log", CASES,
        '        await log_act(connection, Act(by, "ban", "case", id, reason, {"ban": reference, '
        '"rooms_closed": len(closed)}))\n', "",
        f"{DESK}::test_two_cases_ban_and_the_last_one_counts",
    ),
    bug(
        "the end of a ban is not in the audit log", CASES,
        "        changed, act = await _unban(connection, case, by, reason)\n        await log_act(connection, act)\n",
        "        changed, act = await _unban(connection, case, by, reason)\n",
        f"{DESK}::test_two_cases_ban_and_the_last_one_counts",
    ),
    bug(
        "the end of one ban ends every ban", BANS,
        "live_ban.c.reference == reference, live_ban.c.lifted_at", "live_ban.c.lifted_at",
        f"{BOOK}::test_who_is_banned_has_no_open_room",
    ),
    bug(
        "a case is closed without a word about its ban", CASES,
        "        _check_end(case.ban_reference,", "        end_ban or _check_end(None, None,",
        f"{DESK}::test_closing_a_case_says_what_becomes_of_its_ban",
    ),
    bug(
        "verify does not look at rooms of banned people", "giftserver/durable/proof/bans.py",
        "    WHERE r.live AND EXISTS", "    WHERE false AND EXISTS",
        f"{BOOK}::test_verify_finds",
    ),
    bug(
        "verify does not look at bans of no case", "giftserver/durable/proof/bans.py",
        "    WHERE c.id IS NULL OR b.reference IS NULL\n", "    WHERE false\n",
        f"{BOOK}::test_verify_finds",
    ),
)  # fmt: skip

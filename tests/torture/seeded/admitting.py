"""Bugs in who is let in and what they may send: tokens, tickets, origins, ended sessions, floods, odd messages."""

from tests.torture.seeded.bug import Bug, Edit, bug

CLI = "tests/giftserver/test_cli.py"
ROOMS = "tests/giftserver/web/test_rooms.py"
TOKENS = "tests/giftserver/auth/test_tokens.py"
TICKETS = "tests/giftserver/auth/test_tickets.py"
SESSIONS = "tests/giftserver/web/test_sessions.py"
SOCKET = "tests/giftserver/web/test_socket.py"
COMMANDS = "tests/giftserver/web/test_commands.py"
EDGE = "tests/rooms/test_edge.py"
HANDSHAKES = "tests/rooms/test_handshake.py"
FANOUT = "tests/rooms/test_fanout.py"
VERIFYING = "giftserver/auth/tokens.py"
ADMITTING = "giftserver/web/admit.py"
READING = "giftserver/web/commands.py"
SERVING = "giftserver/web/server.py"
CARRYING = "rooms/edge.py"
WRITING = "rooms/connection.py"
DECODING = "rooms/codec.py"
CLAIMS = f"{TOKENS}::test_each_broken_claim_is_refused_with_its_fix"
OUT = f"{SESSIONS}::test_signing_out_everywhere_voids_what_was_before"
UNTOLD = f"{SESSIONS}::test_a_process_that_was_not_told_reads_of_it"
COME_IN = f"{SOCKET}::test_who_may_not_come_in"
WATCHES = f"{SOCKET}::test_whoever_only_watches_is_closed_when_the_session_ends"
QUANTITIES = f"{COMMANDS}::test_bad_quantities_are_refused_by_name"
MALFORMED = f"{COMMANDS}::test_malformed_frames"
FLOOD = f"{COMMANDS}::test_a_flood_is_refused_then_closed"
SLOW = f"{FANOUT}::test_slow_viewers_are_shown_less_then_closed"
COUNTS = "tests/giftserver/web/test_health.py::test_counts_are_for_who_has_the_token"
AWAY = "tests/giftserver/test_away.py"

BUGS: tuple[Bug, ...] = (
    bug(
        "the token says how it is signed", VERIFYING,
        "        if algorithm == SHARED_ALGORITHM and self._secret is not None:\n",
        "        if self._secret is not None:\n",
        f"{TOKENS}::test_the_token_does_not_choose_the_algorithm",
    ),
    bug(
        "tokens for another audience", VERIFYING,
        'options={"require": _CLAIMS}', 'options={"require": _CLAIMS, "verify_aud": False}', CLAIMS,
    ),
    bug(
        "tokens of another issuer", VERIFYING, "issuer=self._issuer, audience", "audience", CLAIMS,
    ),
    bug(
        "tokens that live for ever", VERIFYING,
        "            if left_s > self._life_max_s + self._leeway_s:\n", "            if False:\n", CLAIMS,
    ),
    bug(
        "a clock that is a little off voids tokens", VERIFYING, "leeway=self._leeway_s,", "leeway=0,",
        f"{TOKENS}::test_leeway_forgives_a_clock",
    ),
    bug(
        "a key is good for any algorithm", "giftserver/auth/jwks.py",
        "        if key.key_type == KEY_TYPES[algorithm]\n        and key.algorithm_name == algorithm\n",
        "        if True\n",
        "tests/giftserver/auth/test_jwks.py::test_a_key_of_the_other_kind_is_refused",
    ),
    bug(
        "a ticket opens two sockets", "giftserver/auth/tickets.py", "self._redis.getdel(", "self._redis.get(",
        f"{SOCKET}::test_a_ticket_opens_one_socket",
    ),
    bug(
        "a ticket outlives its token", "giftserver/auth/tickets.py",
        "return identity if identity.expires_s > time.time() else None", "return identity",
        f"{TICKETS}::test_a_ticket_does_not_outlive_its_token",
    ),
    bug(
        "a ticket is good for a day", "giftserver/auth/tickets.py", ", ex=TICKET_TTL_S)", ", ex=86_400)",
        f"{TICKETS}::test_redis_knows_only_the_hash",
    ),
    bug(
        "any page opens sockets", ADMITTING,
        'origin_refusal(websocket.headers.get("origin"), services.settings, websocket.headers.get("host"))', "None",
        COME_IN,
    ),
    bug(
        "any page calls the server", "giftserver/web/edge.py",
        '        refusal = origin_refusal(origin, self._settings, headers.get("host"))\n', "        refusal = None\n",
        "tests/giftserver/web/test_edge.py::test_pages_of_foreign_origins_are_refused",
    ),
    bug(
        "a page on another port is the server's own", "giftserver/auth/origin.py",
        'return f"{scheme}://{shown}" if port in (None, _DEFAULT_PORTS[scheme]) else f"{scheme}://{shown}:{port}"',
        'return f"{scheme}://{shown}"',
        "tests/giftserver/auth/test_origin.py::test_foreign_pages_are_refused",
    ),
    bug(
        "a session that ran out sends gifts", READING,
        "            if time.time() > self._identity.expires_s or self._services.session_ends.ended(self._identity):\n",
        "            if self._services.session_ends.ended(self._identity):\n",
        f"{SOCKET}::test_sessions_end",
    ),
    bug(
        "a session that was ended sends gifts", READING,
        "            if time.time() > self._identity.expires_s or self._services.session_ends.ended(self._identity):\n",
        "            if time.time() > self._identity.expires_s:\n",
        f"{SESSIONS}::test_a_gift_of_an_ended_session_is_refused",
    ),
    bug(
        "a socket stays though its session cannot send", READING,
        "                self._connection.close(codes.BAD_TOKEN)\n", "", f"{SOCKET}::test_sessions_end",
    ),
    bug(
        "whoever only watches never leaves", "giftserver/web/socket.py",
        "        if math.isfinite(left_s):\n", "        if False:\n", WATCHES,
    ),
    bug(
        "signing out leaves sockets open", "giftserver/app.py",
        "    session_ends.on_end = lambda user: people.close(user, BAD_TOKEN)\n", "", OUT,
    ),
    bug(
        "signing out leaves tokens good", VERIFYING,
        "isinstance(identity, Identity) and self._ended(identity)", "False", OUT,
    ),
    bug(
        "signing out leaves tickets good", ADMITTING,
        "        if services.session_ends.ended(redeemed):\n", "        if False:\n", OUT,
    ),
    bug(
        "signing out signs out for ever", "giftserver/auth/session_ends.py",
        "before_s is not None and identity.issued_s <= before_s", "before_s is not None", OUT,
    ),
    bug(
        "a process that was not told never learns", "giftserver/auth/session_ends.py",
        "(await self._read(since_s)).items()", "{}.items()", UNTOLD,
    ),
    bug(
        "a process that was not told learns late", "giftserver/auth/session_ends.py",
        "READ_S: Final = 10.0", "READ_S: Final = 60.0", UNTOLD,
    ),
    bug(
        "a message of any length", SERVING, "ws_max_size=settings.message_bytes", "ws_max_size=2**24", MALFORMED,
    ),
    bug(
        "messages are inflated", SERVING, "ws_per_message_deflate=False", "ws_per_message_deflate=True",
        f"{SOCKET}::test_nothing_is_inflated",
    ),
    bug(
        "a message of any number of frames", CARRYING,
        "        if len(self.frames) < FRAGMENTS_MAX:\n", "        if True:\n",
        f"{EDGE}::test_a_message_of_endless_frames_closes_the_socket",
    ),
    bug(
        "any number of pings", CARRYING, "        if self._pings > PINGS_MAX:\n", "        if False:\n",
        f"{EDGE}::test_a_flood_of_pings_is_closed",
    ),
    bug(
        "a handshake takes its time", "rooms/handshake.py",
        "        self._in_head = True\n        self._heads.begin(self)\n", "        self._in_head = True\n",
        f"{HANDSHAKES}::test_a_request_in_part_is_cut_off",
    ),
    bug(
        "a drip of bytes lengthens a handshake", "rooms/handshake.py",
        "    def on_headers_complete(self) -> None:\n",
        "    def on_header(self, name: bytes, value: bytes) -> None:\n        super().on_header(name, value)\n"
        "        self._heads.begin(self)\n\n    def on_headers_complete(self) -> None:\n",
        f"{HANDSHAKES}::test_a_drip_is_cut_off",
    ),
    bug(
        "commands without end", READING,
        "        wait_ms = connection.commands.take()\n", "        wait_ms = 0\n", FLOOD,
    ),
    bug(
        "whoever floods is refused for ever and never closed", READING,
        "        if self._connection.strikes > STRIKES_MAX:\n", "        if False:\n", FLOOD,
    ),
    bug(
        "sockets of one person without end", "giftserver/people.py",
        "if user is not None and self._users[user] >= self._per_user:", "if False:",
        f"{SOCKET}::test_sockets_of_one_user_are_limited",
    ),
    bug(
        "a number in quotes is a number", DECODING,
        "msgspec.json.Decoder(kind)", "msgspec.json.Decoder(kind, strict=False)", QUANTITIES,
    ),
    bug(
        "a text in msgpack is a number", DECODING,
        "msgspec.msgpack.Decoder(kind)", "msgspec.msgpack.Decoder(kind, strict=False)", QUANTITIES,
    ),
    bug(
        "nothing at all is sent", "giftserver/gifts/messages.py",
        "quantity: Annotated[int, Meta(ge=1, le=QUANTITY_MAX)]",
        "quantity: Annotated[int, Meta(le=QUANTITY_MAX)]",
        f"{COMMANDS}::test_nothing_unlawful_is_decoded",
    ),
    bug(
        "the service takes what cannot be booked", "giftserver/gifts/service.py",
        "rule = broken_rule(shard_of(sender.user), event) if sender.user != room.creator else None", "rule = None",
        f"{COMMANDS}::test_the_service_refuses_what_the_flusher_would_stop_at",
    ),
    bug(
        "what nests without end is a failure", DECODING,
        "    except RecursionError:\n", "    except ZeroDivisionError:\n", MALFORMED,
    ),
    bug(
        "what is no message is a failure", READING,
        "        except msgspec.DecodeError as problem:\n", "        except ZeroDivisionError as problem:\n", MALFORMED,
    ),
    bug(
        "binary where text was agreed", READING,
        "        if text is connection.codec.binary:\n", "        if False:\n", MALFORMED,
    ),
    bug(
        "everything is kept for who does not read", WRITING,
        "        if self._outlet.backlog() > self._outbox_bytes:\n", "        if False:\n",
        f"{SOCKET}::test_a_slow_reader_is_closed_and_delays_nobody", SLOW,
    ),
    bug("a slow viewer is shown every state", WRITING, "with_latest=False", "with_latest=True", SLOW),
    bug("a slow viewer is shown every small gift", WRITING, "folded=folded)", "folded=False)", SLOW),
    Bug(
        "a slow creator is shown sums",
        (
            Edit(WRITING, "folded = not whole and ", "folded = "),
            Edit("rooms/tick.py", "self._whole if whole else ", "self._whole if whole and not folded else "),
        ),
        (SLOW,),
    ),
    bug(
        "a slow viewer gets no receipts", WRITING,
        "        if self._own:\n", "        if self._own and self._outlet.backlog() <= SKIP_LATEST_BYTES:\n", SLOW,
    ),
    bug(
        "who is behind stays for ever", WRITING,
        "        if now_s - self._slow_since_s > STALLED_S:\n", "        if False:\n",
        f"{FANOUT}::test_a_viewer_that_is_behind_too_long_is_closed",
    ),
    bug(
        "guests send gifts", "giftserver/gifts/service.py",
        '        if sender.user is None or sender.role == "overlay":\n', "        if False:\n",
        f"{COMMANDS}::test_rooms_offline_and_creators_themselves",
    ),
    bug(
        "gifts into a room that is not live", "giftserver/gifts/service.py",
        "        if not room.live:\n", "        if False:\n", f"{COMMANDS}::test_rooms_offline_and_creators_themselves",
    ),
    bug(
        "the price that was shown does not count", "giftserver/gifts/service.py",
        "command.price_coins is not None and command.price_coins != gift.coins", "False",
        f"{COMMANDS}::test_a_price_that_changes_meanwhile",
    ),
    bug(
        "a price that changed undoes what was bought", "giftserver/gifts/service.py",
        "return earlier or refusal or", "return refusal or earlier or",
        f"{COMMANDS}::test_a_price_that_changes_meanwhile",
    ),
    bug(
        "a demo in production", "giftserver/settings.py", "        if self.production and self.demo:\n",
        "        if False:\n", f"{CLI}::test_there_is_no_demo_in_production",
    ),
    bug(
        "a token of one room is good everywhere", "giftserver/web/endpoint.py",
        "if found.room is not None and found.room != room:",
        "if found.room is not None and room is not None and found.room != room:",
        f"{ROOMS}::test_a_token_of_one_room_is_good_for_nothing_else",
    ),
    bug(
        "a reason of invisible characters", "giftserver/printed.py",
        'PRINTED: Final = rf"^(?=.*[^{UNSEEN}])', 'PRINTED: Final = rf"^(?=.*\\S)',
        "tests/giftserver/test_printed.py",
    ),
    bug(
        "preflights know only some methods", "giftserver/web/edge.py",
        '", ".join(sorted(methods))', '"GET, POST, PUT"',
        "tests/giftserver/web/test_edge.py::test_allowed_origins_may_read_the_answers",
    ),
    bug(
        "a bad query is an outage", "giftserver/away.py",
        "        return str(raised.sqlstate).startswith(AWAY)\n", "        return True\n",
        f"{AWAY}::test_a_bad_query_is_no_outage", f"{AWAY}::test_it_is_a_mistake",
    ),
    bug(
        "a PostgreSQL that hangs is a mistake", "giftserver/away.py", ', "57014")', ")", f"{AWAY}::test_it_is_away",
    ),
    bug(
        "a socket is told of an outage that is none", "giftserver/web/admit.py",
        "        if not is_away(problem):\n", "        if False:\n", f"{AWAY}::test_a_socket_is_told_so_too",
    ),
    bug(
        "a gift is told of an outage that is none", "giftserver/gifts/service.py",
        "            if not is_away(problem):\n                raise\n            log.", "            log.",
        f"{AWAY}::test_a_socket_is_told_so_too",
    ),
    bug(
        "the log tells who was refused", "giftserver/web/edge.py",
        "if isinstance(problem, ENGINE_ERRORS):", "if False:", f"{AWAY}::test_no_value_is_logged",
    ),
    bug(
        "errors tell a statement's values", "giftserver/durable/store.py",
        "        hide_parameters=True,", "        hide_parameters=False,", f"{AWAY}::test_no_value_is_logged",
    ),
    bug(
        "any rule is that there is no case", "giftserver/web/adjustments.py",
        '        if constraint_of(problem) != "adjustment_case_fkey":\n            raise\n', "",
        "tests/giftserver/cases/test_adjustments.py::test_another_rule_is_not_taken_for_the_expected_one",
    ),
    bug(
        "anybody reads the counts in production", "giftserver/web/health.py",
        "    if token is None and services.settings.production:\n", "    if False:\n", COUNTS,
    ),
    bug(
        "anybody reads the counts that have a token", "giftserver/web/health.py",
        "    if token is not None and not _has(", "    if False and not _has(", COUNTS,
    ),
    bug(
        "any token reads the counts", "giftserver/web/health.py",
        "hmac.compare_digest(sent.strip().encode(), token.encode())", "sent != ''", COUNTS,
    ),
)  # fmt: skip

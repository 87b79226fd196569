"""Hostile messages, frames and handshakes over real sockets of a real web process.

Whatever is sent is answered as docs/protocol.md says, nothing is charged for it, nothing of it is a failure in the
server's log, and somebody healthy is served afterwards.
"""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import select

from giftserver.durable.flush import flush_shard
from giftserver.durable.tables import transfer
from giftserver.ledger import keys
from tests.judges.conftest import Fuzz, Say
from tests.judges.hostile import handshakes, new_key, packed, payloads, pieces
from tests.judges.process import WebProcess
from tests.judges.raw import Piece, RawSocket, answer_to, opened
from tests.judges.rules import Unreadable, is_gift, read

SHORT, LONG = 40, 1_500
COINS = 10_000_000
PROTOCOL = (Path(__file__).resolve().parents[2] / "docs" / "protocol.md").read_text()
CLOSING = PROTOCOL.partition("## Close codes")[2].partition("\n## ")[0]
CODES = {int(code) for code in re.findall(r"\b(10\d\d)\b", CLOSING) + re.findall(r"^\| (\d{4}) \|", CLOSING, re.M)}
ERRORS = set(re.findall(r"^\| `(\w+)` \| \d{3} \|", PROTOCOL, re.M))
BAD_GIFT = {"type": "send_gift", "id": 1, "quantity": 0}


async def charged(web: WebProcess, user: str) -> dict[str, int]:
    """Coins that the durable ledger has taken from somebody for gifts, by key."""
    for shard in range(keys.SHARDS):
        await flush_shard(web.engines.database, web.engines.ledger_redis, shard)
    query = select(transfer.c.key, transfer.c.coins).where(transfer.c.sender == user, transfer.c.kind == "gift")
    async with web.engines.database.connect() as connection:
        return {str(row.key): row.coins for row in await connection.execute(query)}


def healthy(web: WebProcess) -> None:
    """Somebody else comes, gives a gift, gets a receipt; and the server has not failed at anything so far."""
    with opened(web.port, web.path, web.bearer("hale"), binary=False) as client:
        gift = {"type": "send_gift", "id": 1, "key": new_key(), "gift": "dewdrop", "quantity": 1}
        client.send_message(packed(gift, False))
        while not (answers := answers_of(client)):
            client.read()
        assert [answer["type"] for answer in answers] == ["reply"], answers
    assert web.failures() == []


def answers_of(client: RawSocket) -> list[dict[str, Any]]:
    """Replies and errors so far, each error one of the protocol's."""
    answers = [message for message in client.messages if message["type"] in ("reply", "error")]
    assert {answer["code"] for answer in answers if answer["type"] == "error"} <= ERRORS
    return answers


def gifts_in(sent: list[bytes], binary: bool) -> set[str]:
    """Keys of those messages that ask for a gift as the protocol says."""
    found = set()
    for data in sent:
        try:
            message = read(data, binary)
        except Unreadable:
            continue
        if is_gift(message):
            found.add(message["key"])
    return found


@pytest.mark.parametrize("binary", [True, False], ids=["msgpack", "json"])
async def test_every_message_gets_one_answer_or_the_socket_ends(
    web: WebProcess, binary: bool, fuzz: Fuzz, say: Say
) -> None:
    """Only what the protocol calls a gift is charged, at most once a key; the wallet and the receipts agree."""
    user = f"fuzz-{binary}"
    await web.give_coins(user, COINS)
    await web.give_coins("hale", 1_000)
    asked: set[str] = set()
    paid: dict[str, int] = {}

    @given(sent=st.lists(payloads(binary), min_size=1, max_size=14), wrong=st.sampled_from([0, 0, 0, 1]))
    def judge(sent: list[bytes], wrong: int) -> None:
        keys_sent = gifts_in(sent, binary)
        asked.update(keys_sent)
        with opened(web.port, web.path, web.bearer(user), binary=binary) as client:
            for data in sent:
                client.send_message(data)
            if wrong:
                client.send(Piece(1 if binary else 2, b"{}").wire + Piece(8, b"\x03\xe8").wire)
            while not client.ended and (wrong or len(answers_of(client)) < len(sent)):
                client.read()
            assert client.code is None or client.code in CODES | {1000}
            receipts = [answer["result"] for answer in answers_of(client) if answer["type"] == "reply"]
            assert {receipt["key"] for receipt in receipts} <= keys_sent
            paid.update({receipt["key"]: receipt["coins"] for receipt in receipts})

    examples = await asyncio.to_thread(fuzz, judge, SHORT, LONG, shrink=False)
    await asyncio.to_thread(healthy, web)
    taken = await charged(web, user)
    assert set(taken) <= asked
    assert paid.items() <= taken.items()
    with opened(web.port, web.path, web.bearer(user), binary=binary) as client:
        assert client.messages[0]["you"]["balance_coins"] == COINS - sum(taken.values())
    say(f"fuzz: {examples} sockets with hostile {'msgpack' if binary else 'JSON'} messages, {len(taken)} gifts, exact")


def wires_of(binary: bool) -> st.SearchStrategy[bytes]:
    """Frames that are mostly right, and noise."""
    return pieces(binary).map(lambda piece: piece.wire) | st.binary(max_size=40)


@pytest.mark.parametrize("binary", [True, False], ids=["msgpack", "json"])
async def test_frames_that_break_the_rules(web: WebProcess, binary: bool, fuzz: Fuzz, say: Say) -> None:
    """Lying lengths, wrong opcodes, masks and bits, torn and noisy: an error, a code of the protocol, or the end."""
    await web.give_coins("fay", COINS)
    await web.give_coins("hale", 1_000)
    bad = packed(BAD_GIFT, binary)

    @given(
        wires=st.lists(pieces(binary).map(lambda piece: piece.wire) | st.binary(max_size=40), min_size=1, max_size=6)
    )
    @example(wires=[Piece(1, b"\xff\xfe").wire + Piece(8, b"").wire])
    @example(wires=[Piece(1 if binary else 2, bad).wire + Piece(8, b"").wire])
    @example(wires=[Piece(2 if binary else 1, bad).wire * 12 + Piece(8, b"").wire])
    @example(wires=[Piece(2 if binary else 1, b"", final=False).wire, Piece(0, b"", final=False).wire * 10_000])
    def judge(wires: list[bytes]) -> None:
        with opened(web.port, web.path, web.bearer("fay"), binary=binary) as client:
            for wire in wires:
                client.send(wire)
            client.finish()
            assert [answer for answer in answers_of(client) if answer["type"] == "reply"] == []
            if client.code is not None and b"\x88" not in b"".join(wires):  # else a code of the client's comes back
                assert client.code in CODES

    examples = await asyncio.to_thread(fuzz, judge, SHORT, LONG, shrink=False)
    await asyncio.to_thread(healthy, web)
    assert await charged(web, "fay") == {}
    say(f"fuzz: {examples} sockets with hostile frames ({'msgpack' if binary else 'JSON'}), nothing charged")


async def test_handshakes_are_answered(web: WebProcess, fuzz: Fuzz, say: Say) -> None:
    """Every whole request gets an HTTP answer, whatever is wrong with it, instead of a socket that hangs."""
    await web.give_coins("hale", 1_000)

    @given(request=handshakes())
    def judge(request: bytes) -> None:
        head = answer_to(web.port, request)
        assert re.match(rb"HTTP/1\.1 [1-5]\d\d ", head), head

    examples = await asyncio.to_thread(fuzz, judge, SHORT, LONG, shrink=False)
    await asyncio.to_thread(healthy, web)
    say(f"fuzz: {examples} hostile handshakes, all answered")

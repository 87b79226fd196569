"""Gives gifts over one socket and keeps each key until it has a final answer."""

import time
from collections.abc import Callable
from typing import Any, Final

import gevent
from gevent.event import AsyncResult

from loadtest.client import RoomSocket, make_key
from loadtest.journal import Journal

REPLY_S: Final = 5.0
GIVE_UP_S: Final = 60.0


class Answer:
    """What became of a gift: acknowledged, refused or unknown; `code` is the refusal's or the last error's."""

    def __init__(self, kind: str, code: str, latency_ms: float) -> None:
        self.kind, self.code, self.latency_ms = kind, code, latency_ms


class Gifter:
    """One sender. Every step is in the journal before it is taken."""

    def __init__(
        self, user: str, socket_url: str, codec: str, token: Callable[[], str | None], journal: Journal
    ) -> None:
        self.user = user
        self.socket = RoomSocket(socket_url, codec, token, self._take)
        self._journal = journal
        self._next_id = 1
        self._answers: dict[int, AsyncResult] = {}

    def give(
        self, gift: str, quantity: int, price_coins: int, note: str, on_refusal: Callable[[str, float], None]
    ) -> Answer:
        """Give one gift and wait for its final answer, sending the same key again as often as it takes.

        `on_refusal` hears of each temporary refusal: its code, and the ms since the gift was first sent.
        """
        key, started_s = make_key(), time.monotonic()
        command = {
            "type": "send_gift", "key": key, "gift": gift, "quantity": quantity, "price_coins": price_coins,
            "note": note,
        }  # fmt: skip
        coins = quantity * price_coins
        self._journal.write("sent", user=self.user, key=key, gift=gift, quantity=quantity, coins=coins)
        code = "no_answer"
        try:
            while time.monotonic() - started_s < GIVE_UP_S:
                answer = self._ask(command)
                latency_ms = (time.monotonic() - started_s) * 1_000
                if answer is None:
                    continue
                if answer["type"] == "reply":
                    result = answer["result"]
                    self._journal.write(
                        "acknowledged", user=self.user, key=key, transfer=result["transfer"], coins=result["coins"]
                    )
                    return Answer("acknowledged", "", latency_ms)
                code = answer["code"]
                if not answer["temporary"]:
                    self._journal.write("refused", user=self.user, key=key, code=code)
                    return Answer("refused", code, latency_ms)
                on_refusal(code, latency_ms)
                gevent.sleep((answer.get("retry_after_ms") or 200) / 1_000)
        except gevent.GreenletExit:
            self._journal.write("unknown", user=self.user, key=key, code="stopped")
            raise
        self._journal.write("unknown", user=self.user, key=key, code=code)
        return Answer("unknown", code, (time.monotonic() - started_s) * 1_000)

    def _ask(self, command: dict[str, Any]) -> dict[str, Any] | None:
        """One attempt: the reply or error, None when none came in time or there is no connection."""
        number, self._next_id = self._next_id, self._next_id + 1
        result = self._answers[number] = AsyncResult()
        try:
            if not self.socket.send({**command, "id": number}):
                gevent.sleep(0.1)
                return None
            answer: dict[str, Any] | None = result.get(timeout=REPLY_S)
        except gevent.Timeout:
            return None
        finally:
            self._answers.pop(number, None)
        return answer

    def _take(self, messages: list[Any]) -> None:
        for message in messages:
            if message["type"] == "welcome":
                # Replies of an earlier connection will not come any more: ask again at once.
                for result in self._answers.values():
                    result.set(None)
            elif message["type"] in ("reply", "error"):
                result = self._answers.get(message.get("id") or 0)
                if result is not None:
                    result.set(message)

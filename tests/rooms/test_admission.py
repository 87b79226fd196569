"""A few are let in at a time; the rest wait their turn, or are told of a place of their own."""

import asyncio

import pytest

from rooms import admission as admission_module
from rooms.admission import AHEAD_S, AT_ONCE, Admission


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time of admissions, in seconds; move it by its only element."""
    now = [1_000.0]
    monkeypatch.setattr(admission_module.time, "monotonic", lambda: now[0])
    return now


def ask(admission: Admission, count: int) -> list[int]:
    return [admission.ask() for _ in range(count)]


def test_those_who_come_too_many_at_once_get_a_place_each(clock: list[float]) -> None:
    """A second's worth at once comes in; the others are spread at the rate, one after the other."""
    answers = ask(Admission(100), 1_100)
    let_in = answers.count(0)
    assert let_in == pytest.approx(2 * AHEAD_S * 100, abs=2)
    later = [answer for answer in answers if answer]
    assert later == sorted(later)
    assert later[0] == pytest.approx(AHEAD_S * 1_000, abs=25)
    assert later[-1] - later[0] == pytest.approx(10 * (len(later) - 1), abs=25)


def test_those_who_come_back_at_their_time_find_a_place(clock: list[float]) -> None:
    """Everybody is in when the last one's time has come."""
    admission = Admission(100)
    waiting = [clock[0] + answer / 1_000 for answer in ask(admission, 1_000) if answer]
    tries = 0
    while waiting:
        clock[0] = min(waiting)
        waiting.remove(clock[0])
        tries += 1
        if answer := admission.ask():
            waiting.append(clock[0] + answer / 1_000)
    assert tries < 1_000
    assert clock[0] < 1_000 + 10.5


def test_a_steady_stream_within_the_rate_is_let_in(clock: list[float]) -> None:
    """However long it goes on."""
    admission = Admission(100)
    for _ in range(1_000):
        assert admission.ask() == 0
        clock[0] += 0.0101


async def test_turns_are_few_and_in_order() -> None:
    """As many as there are turns work at once; who failed or was cancelled gives the turn back."""
    admission = Admission(1_000_000)
    inside, most, order = 0, 0, []

    async def enter(number: int) -> None:
        nonlocal inside, most
        async with admission.turn():
            inside += 1
            most = max(most, inside)
            order.append(number)
            await asyncio.sleep(0)
            inside -= 1
            if number % 7 == 0:
                raise RuntimeError

    tasks = [asyncio.create_task(enter(number)) for number in range(5 * AT_ONCE)]
    tasks[AT_ONCE + 3].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == AT_ONCE
    assert order == [number for number in range(5 * AT_ONCE) if number != AT_ONCE + 3]
    assert inside == 0
    assert admission._waiting == 0


async def test_a_long_queue_sends_others_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the rate allows: those who wait already come first."""
    monkeypatch.setattr(admission_module, "WAITING_MAX", 10)
    admission = Admission(1_000_000)
    go_on = asyncio.Event()

    async def enter() -> None:
        async with admission.turn():
            await go_on.wait()

    tasks = [asyncio.create_task(enter()) for _ in range(AT_ONCE + 10)]
    await asyncio.sleep(0)
    assert admission.ask() > 0
    go_on.set()
    await asyncio.gather(*tasks)
    assert admission.ask() == 0

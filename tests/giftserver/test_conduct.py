"""Who misbehaves waits; who behaves notices nothing, and what was done is forgotten with time."""

import pytest

from giftserver import conduct as conduct_module
from giftserver.conduct import COMES_BACK_S, GUESTS, OFFENCES, WAIT_S, Conduct


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds; move it by its only element."""
    now = [1_000.0]
    monkeypatch.setattr(conduct_module.time, "monotonic", lambda: now[0])
    return now


def test_who_is_closed_again_and_again_waits(clock: list[float]) -> None:
    """After some offences, alone, and until they are forgotten."""
    conduct = Conduct(10)
    for _ in range(int(OFFENCES)):
        assert conduct.wait_s("ana", "a") == 0
        conduct.misbehaved("ana", "a")
    assert conduct.wait_s("ana", "a") == WAIT_S
    assert conduct.wait_s("ben", "a") == 0
    assert conduct.wait_s(None, "a") == 0
    clock[0] += 2 * COMES_BACK_S
    assert conduct.wait_s("ana", "a") == 0


def test_sockets_are_cheap(clock: list[float]) -> None:
    """A hundred at once and two a second for ever are nothing; ten a second are."""
    conduct = Conduct(10)
    assert [conduct.wait_s("ana", "a") for _ in range(100)] == [0] * 100
    clock[0] += 100
    for _ in range(1_000):
        assert conduct.wait_s("ana", "a") == 0
        clock[0] += 0.5
    waits = []
    for _ in range(1_000):
        waits.append(conduct.wait_s("ana", "a"))
        clock[0] += 0.1
    assert waits[-1] == WAIT_S


def test_guests_of_an_address_share_more_patience(clock: list[float]) -> None:
    """One of them cannot hold up the others so soon, and their sockets cost nothing."""
    conduct = Conduct(10)
    assert {conduct.wait_s(None, "a") for _ in range(10_000)} == {0.0}
    for _ in range(int(OFFENCES * GUESTS)):
        assert conduct.wait_s(None, "a") == 0
        conduct.misbehaved(None, "a")
    conduct.misbehaved(None, "a")
    assert conduct.wait_s(None, "a") == WAIT_S
    assert conduct.wait_s(None, "b") == 0
    assert conduct.wait_s("ana", "a") == 0


def test_nobody_waits_for_ever(clock: list[float]) -> None:
    """A thousand offences are forgotten as soon as ten."""
    conduct = Conduct(10)
    for _ in range(1_000):
        conduct.misbehaved("ana", "a")
    clock[0] += 2 * OFFENCES * COMES_BACK_S
    assert conduct.wait_s("ana", "a") == 0


def test_only_so_many_are_known(clock: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that was quiet for longest is forgotten first."""
    monkeypatch.setattr(conduct_module, "KNOWN_MAX", 3)
    conduct = Conduct(10)
    for _ in range(int(OFFENCES) + 1):
        for user in ("ana", "ben", "cem"):
            conduct.misbehaved(user, "")
    conduct.misbehaved("dua", "")
    assert [conduct.wait_s(user, "") for user in ("ben", "cem")] == [WAIT_S] * 2
    assert conduct.wait_s("ana", "") == 0

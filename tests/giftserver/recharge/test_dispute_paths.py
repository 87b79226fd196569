"""Every way a dispute can go, one after the other in one ledger: all of it conserves, and is told in words."""

from dataclasses import dataclass

import pytest

from giftserver.durable import claim_booking
from giftserver.durable.claims import want
from giftserver.durable.payment_story import payment_lines, payment_story
from tests.giftserver.conftest import add_rooms
from tests.giftserver.recharge.buyers import send
from tests.giftserver.shop import Shop

STATE = {"warning": "waiting", "open": "frozen", "closed": "won", "won": "won", "lost": "lost"}


@dataclass(frozen=True)
class Path:
    """Gifts of 100 coins sent of 770, what the bank said, and who bears what in the end."""

    sent: int
    said: tuple[str, ...]
    coins: int
    owed: int = 0
    clawed: int = 0
    lost: int = 0
    amount_minor: int = 999
    pending_days: int = 14

    @property
    def words(self) -> list[str]:
        """What `giftserver explain` must say."""
        if self.said[-1] != "lost":
            return ["nobody bears anything"]
        given_up = 770 * self.amount_minor // 999 - self.owed
        return [
            f"gave up {given_up:,} unspent coins and owes {self.owed:,} spent ones",
            f"gave back {self.clawed:,} diamonds; {self.lost:,} are the platform's loss",
        ]


PATHS = {
    "warned and closed": Path(3, ("warning", "closed"), 470),
    "warned, opened, won": Path(3, ("warning", "open", "won"), 470),
    "won, unspent": Path(0, ("open", "won"), 770),
    "lost, unspent": Path(0, ("open", "lost"), 0),
    "lost, partly spent": Path(3, ("open", "lost"), 0, owed=300, clawed=300),
    "warned, opened, lost, spent": Path(7, ("warning", "open", "lost"), 0, owed=700, clawed=700),
    "lost, spent, the creator's for good": Path(7, ("open", "lost"), 0, owed=700, lost=700, pending_days=0),
    "lost, then won after all": Path(3, ("open", "lost", "won"), 470),
    "lost, about a part": Path(0, ("open", "lost"), 385, amount_minor=500),
}


async def test_every_path_conserves_and_tells_who_bears_what(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nine buyers, nine disputes: coins, debts, diamonds, money and words; `verify` is clean after each."""
    await add_rooms(shop.web.engines)
    database = shop.web.engines.database
    earned = charged_back = 0
    for n, (name, path) in enumerate(PATHS.items()):
        monkeypatch.setattr(claim_booking, "PENDING_DAYS", path.pending_days)
        user = f"buyer{n}"
        payment = await shop.paid(user)
        await shop.until_state(payment["id"], "credited", user)
        await shop.coins(user)
        if path.sent:
            await send(shop, path.sent, user)
        dispute = await shop.dispute(payment, path.said[0], path.amount_minor)
        await shop.until_claim(dispute, STATE[path.said[0]])
        for before, said in zip(path.said, path.said[1:], strict=False):
            if before == "lost":
                await want(database, dispute, "won")  # a provider that reverses what it had decided
            else:
                await shop.decide(dispute, said)
            claim = await shop.until_claim(dispute, STATE[said])
        assert await shop.coins(user) == path.coins, name
        assert (claim.owed_coins, claim.clawed_diamonds, claim.lost_diamonds) == (path.owed, path.clawed, path.lost), (
            name
        )
        earned += path.sent * 100 - path.clawed
        charged_back += path.amount_minor if path.said[-1] == "lost" else 0
        assert await shop.balance("owed", user) == path.owed, name
        assert (await shop.balance("earnings", "mira"), await shop.balance("charged_back")) == (earned, charged_back), (
            name
        )
        story = await payment_story(database, payment["id"])
        assert story is not None
        told = "\n".join(payment_lines(story))
        for words in path.words:
            assert words in told, (name, told)
        await shop.proved()


@pytest.mark.parametrize("end", ["won", "lost"])
async def test_lists_say_how_a_dispute_stands(bought, end):
    """Orders and the statement tell what the sheet of the order tells: open, and then how it ended."""
    shop, payment = bought

    async def listed() -> tuple[str | None, str | None]:
        me = shop.web.bearer("ana")
        (order,) = (await shop.web.http.get("/v1/payments", headers=me)).json()["payments"]
        entries = (await shop.web.http.get("/v1/wallet/history", headers=me)).json()["entries"]
        aside = [one["claim"] for one in entries if one["kind"] == "claim_open"]
        assert all(one["claim"] is None for one in entries if one["kind"] != "claim_open")
        assert (await shop.payment(payment["id"]))["dispute"] == order["dispute"]
        return order["dispute"], aside[0] if aside else None

    assert await listed() == (None, None)
    dispute = await shop.dispute(payment, "warning")
    await shop.until_claim(dispute, "waiting")
    assert await listed() == (None, None), "a warning is for operators"
    await shop.decide(dispute, "open")
    await shop.until_claim(dispute, "frozen")
    assert await listed() == ("open", "frozen")
    await shop.decide(dispute, end)
    await shop.until_claim(dispute, end)
    assert await listed() == (end, end)

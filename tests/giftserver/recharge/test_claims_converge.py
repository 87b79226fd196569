"""Claims of one payment come to what its provider says, whichever came first, was won, failed, or was heard of late."""

from typing import Any

import pytest

from giftserver.durable.claim_booking import freeze, lose, win
from giftserver.durable.claims import due_claims, want
from giftserver.durable.holds import holds_of
from giftserver.durable.payments import payment_by_id
from giftserver.errors import Refusal
from giftserver.recharge.provider import ProviderAway, ProviderRefused
from tests.giftserver.conftest import assert_refused
from tests.giftserver.recharge.buyers import all_done, back_by_hand, bounce, claims_of, is_held, refund, send
from tests.giftserver.shop import Shop


async def fails(shop: Shop, payment: dict[str, Any], *, drop: bool = False) -> None:
    """The provider refuses refunds of this payment, or tells nothing of it, from now on."""
    what = {"drop": 1.0} if drop else {"refund_fails": True}
    await shop.control("PUT", f"/v1/sessions/{await shop.session(payment)}/mischief", what)


async def test_a_dispute_beside_a_refund_of_the_same_half_takes_its_coins(bought, monkeypatch):
    """Half is refunded, the other half asked for and disputed: the dispute waits for nobody, and has the half."""
    shop, payment = bought
    first = (await refund(shop, payment, 499)).json()["id"]
    await shop.until_claim(first, "lost")
    provider = shop.inquiry.providers["sandbox"]

    async def away(ref: str, amount_minor: int, key: str) -> bool:
        raise ProviderAway("it hangs")

    with monkeypatch.context() as hanging:
        hanging.setattr(provider, "refund", away)
        second = (await refund(shop, payment, 500)).json()["id"]
        await shop.until_claim(second, "frozen")
        dispute = await shop.dispute(payment, amount_minor=500)
        await shop.until_claim(dispute, "frozen")
    await all_done(shop)
    assert (await shop.claim(second)).state == "won"
    # Together all of them; which half has the coin that neither has whole is nobody's concern.
    assert (await shop.claim(first)).coins + (await shop.claim(dispute)).coins == 770
    assert (await shop.claim(dispute)).coins >= 770 * 500 // 999
    await shop.proved()
    await shop.decide(dispute, "lost")
    await all_done(shop)
    assert (await shop.coins(), await shop.balance("owed", "ana")) == (0, 0)
    await shop.proved()
    assert await holds_of(shop.web.engines.database, "ana") == []


@pytest.mark.parametrize(("sent", "amount_minor"), [(0, 999), (3, 999), (0, 500), (7, 500)])
async def test_money_given_back_during_a_dispute_that_is_won_takes_its_coins(bought, sent, amount_minor):
    """Both were about the same money: whoever of them is over, the coins of what went back are gone or owed."""
    shop, payment = bought
    if sent:
        await send(shop, sent)
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    await back_by_hand(shop, payment, amount_minor)
    await all_done(shop)
    assert (await shop.claim(f"{payment['id']}-refunded-{amount_minor}")).coins == 0
    await shop.proved()
    await shop.decide(dispute, "won")
    await all_done(shop)
    gone = 770 * amount_minor // 999
    owed = max(0, gone - (770 - 100 * sent))
    assert await shop.coins() == 770 - 100 * sent - gone + owed
    assert await shop.balance("owed", "ana") == owed
    assert await shop.balance("earnings", "mira") == 100 * sent - owed
    assert (await shop.payment(payment["id"]))["state"] == ("refunded" if amount_minor == 999 else "partially_refunded")
    await shop.proved()
    assert await is_held(shop) == (owed > 0)


async def test_what_a_refund_owes_after_a_won_dispute_is_paid_and_comes_back(bought):
    """Its debt is paid by a purchase; the refund bounces: the coins that paid it are the buyer's again."""
    shop, payment = bought
    await send(shop, 7)
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    made = await back_by_hand(shop, payment, 999)
    await all_done(shop)
    await shop.decide(dispute, "won")
    await all_done(shop)
    second = await shop.paid(bonus_coins=0)
    await shop.until_state(second["id"], "credited")
    assert (await shop.coins(), await shop.balance("owed", "ana")) == (0, 0)
    await shop.proved()
    await bounce(shop, payment, made)
    await all_done(shop)
    assert (await shop.coins(), await shop.balance("earnings", "mira")) == (770, 700)
    await shop.proved()
    assert not await is_held(shop)


@pytest.mark.parametrize("half", [499, 500])
async def test_a_claim_that_was_clipped_by_a_lost_one_owes_what_that_gives_up(bought, half):
    """Lost first for all, then a refund of a part by hand; the lost one is won after all: the part stays gone."""
    shop, payment = bought
    await send(shop, 6)
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    await shop.decide(dispute, "lost")
    await shop.until_claim(dispute, "lost")
    await back_by_hand(shop, payment, half)
    await all_done(shop)
    async with shop.web.engines.database.begin() as connection:
        await connection.exec_driver_sql("UPDATE claim SET wanted = 'won' WHERE kind = 'dispute'")
    await all_done(shop)
    gone = 770 * half // 999
    assert (await shop.coins(), await shop.balance("owed", "ana")) == (0, gone - 170)
    await shop.proved()
    assert await is_held(shop)


async def test_money_given_back_by_hand_while_a_refund_of_ours_is_refused(bought):
    """The provider has nothing left to give: ours failed, and all that went back is heard of in the same breath."""
    shop, payment = bought
    await fails(shop, payment, drop=True)
    await back_by_hand(shop, payment, 999)
    ours = (await refund(shop, payment, 999)).json()["id"]
    await shop.until_claim(ours, "won")
    await all_done(shop)
    assert [(one[1], one[2], one[3]) for one in await claims_of(shop, payment)] == [
        ("won", 999, 770),
        ("lost", 999, 770),
    ]
    assert (await shop.coins(), (await shop.payment(payment["id"]))["state"]) == (0, "refunded")
    await shop.proved()


async def test_the_same_sum_given_back_twice_is_two_claims(bought, monkeypatch):
    """Ours of the half is open while the whole goes back by hand, then ours is refused: the rest is found, too."""
    shop, payment = bought
    provider = shop.inquiry.providers["sandbox"]

    async def away(ref: str, amount_minor: int, key: str) -> bool:
        raise ProviderAway("it hangs")

    with monkeypatch.context() as hanging:
        hanging.setattr(provider, "refund", away)
        ours = (await refund(shop, payment, 500)).json()["id"]
        await shop.until_claim(ours, "frozen")
        await back_by_hand(shop, payment, 999)
        await shop.until_claim(f"{payment['id']}-refunded-999", "lost")
    await all_done(shop)
    assert sorted((one[1], one[2]) for one in await claims_of(shop, payment)) == [
        ("lost", 499),
        ("lost", 500),
        ("won", 500),
    ]
    assert (await shop.coins(), (await shop.payment(payment["id"]))["state"]) == (0, "refunded")
    await shop.proved()


async def test_a_refund_whose_answer_is_lost_is_no_other_refund(bought, monkeypatch):
    """It was paid, and here it is open still: what went back is this one, and its coins are taken once."""
    shop, payment = bought
    provider = shop.inquiry.providers["sandbox"]
    real = provider.refund

    async def unheard(ref: str, amount_minor: int, key: str) -> bool:
        await real(ref, amount_minor, key)
        raise ProviderAway("the answer was lost")

    with monkeypatch.context() as hanging:
        hanging.setattr(provider, "refund", unheard)
        ours = (await refund(shop, payment, 500)).json()["id"]
        await shop.until_claim(ours, "frozen")
        await shop.claims.step()
        stored = await payment_by_id(shop.web.engines.database, payment["id"])
        await shop.inquiry.about(stored, "reconciler")
    await all_done(shop)
    assert [one[1:3] for one in await claims_of(shop, payment)] == [("lost", 500)]
    assert await shop.coins() == 770 - 770 * 500 // 999
    await shop.proved()


async def test_coins_do_not_come_back_before_a_hold_that_is_on_its_way(bought, monkeypatch):
    """Ours is refused because all went back by hand: its coins are never free to be spent in between."""
    shop, payment = bought
    await fails(shop, payment, drop=True)
    asked = []

    async def away(ref: str, amount_minor: int, key: str) -> bool:
        asked.append(key)
        raise ProviderRefused("nothing is left")

    monkeypatch.setattr(shop.inquiry.providers["sandbox"], "refund", away)
    ours = (await refund(shop, payment, 999)).json()["id"]
    await shop.until_claim(ours, "holding")
    await back_by_hand(shop, payment, 999)
    await shop.web.settle()
    while not asked:
        await shop.claims.step()
    for _ in range(4):
        assert isinstance(await send(shop, 1), Refusal)
        await shop.claims.step()
        await shop.carrier.carry()
    await all_done(shop)
    assert (await shop.coins(), await shop.balance("owed", "ana")) == (0, 0)
    await shop.proved()


async def test_an_answer_from_before_a_refund_failed_is_asked_for_again(bought):
    """It says that all went back, and is older than what became of ours: nothing is booked by it, all by the next."""
    shop, payment = bought
    await fails(shop, payment, drop=True)
    stored = await payment_by_id(shop.web.engines.database, payment["id"])
    provider = shop.inquiry.providers["sandbox"]
    await back_by_hand(shop, payment, 999)
    older = await provider.fetch(stored.provider_ref)
    await shop.inquiry.heard(provider, older, "provider")
    assert await claims_of(shop, payment) == []
    assert await shop.reconciler().step() == 1
    assert [one[2] for one in await claims_of(shop, payment)] == [999]
    await all_done(shop)
    assert await shop.coins() == 0


@pytest.mark.parametrize("parts", [(999,), (300, 200)])
async def test_a_refund_by_hand_that_bounces_brings_its_coins_back(bought, parts):
    """As far as the provider's sum fell: the whole, or the one of two that were heard of as one."""
    shop, payment = bought
    await fails(shop, payment, drop=True)
    made = [await back_by_hand(shop, payment, part) for part in parts]
    stored = await payment_by_id(shop.web.engines.database, payment["id"])
    await shop.inquiry.about(stored, "reconciler")
    await all_done(shop)
    assert await shop.coins() == 770 - 770 * sum(parts) // 999
    await bounce(shop, payment, made[-1])
    await shop.inquiry.about(stored, "reconciler")
    await all_done(shop)
    left = sum(parts[:-1])
    assert (await shop.coins(), await shop.balance("owed", "ana")) == (770 - 770 * left // 999, 0)
    found = await shop.payment(payment["id"])
    assert found["state"] == ("partially_refunded" if left else "credited")
    assert not found["in_review"]
    await shop.proved()
    if not left:  # and the same again is another refund
        await back_by_hand(shop, payment, 999)
        await shop.inquiry.about(stored, "reconciler")
        await all_done(shop)
        assert (await shop.coins(), (await shop.payment(payment["id"]))["state"]) == (0, "refunded")
        await shop.proved()


async def test_coins_that_are_about_to_come_back_are_there_to_be_frozen(bought):
    """One of two refunds that were heard of as one bounces: the other one's claim waits until the old one is undone."""
    shop, payment = bought
    await fails(shop, payment, drop=True)
    stored = await payment_by_id(shop.web.engines.database, payment["id"])
    _, second = [await back_by_hand(shop, payment, part) for part in (300, 200)]
    await shop.inquiry.about(stored, "reconciler")
    await all_done(shop)
    await bounce(shop, payment, second)
    await shop.inquiry.about(stored, "reconciler")
    await shop.claims.step()
    database, id = shop.web.engines.database, f"{payment['id']}-refunded-300"
    [due] = [one for one in await due_claims(database, 10) if one.id == id]
    assert due.state == "holding"
    assert await freeze(database, due) is None
    await all_done(shop)
    assert (await shop.claim(id)).coins == 770 * 300 // 999
    await shop.proved()


async def test_a_debt_that_shrinks_by_rounding_gives_its_creators_that_back(bought):
    """Two parts were lost, and one is won: the other one's share is a coin less, and so is what is owed and taken."""
    shop, payment = bought
    await send(shop, 7)
    parts = [await shop.dispute(payment, amount_minor=part) for part in (500, 499)]
    for part in parts:
        await shop.until_claim(part, "frozen")
        await shop.decide(part, "lost")
        await shop.until_claim(part, "lost")
    assert [(await shop.claim(part)).owed_coins for part in parts] == [315, 385]
    await want(shop.web.engines.database, parts[0], "won")
    await all_done(shop)
    assert (await shop.coins(), await shop.balance("owed", "ana")) == (70, 770 * 499 // 999)
    assert await shop.balance("earnings", "mira") == 700 - 770 * 499 // 999
    await shop.proved()


async def test_less_given_back_than_refunds_of_ours_is_for_a_person(bought, monkeypatch):
    """A provider that does not say which one failed: somebody looks at it, once."""
    shop, payment = bought
    provider = shop.inquiry.providers["sandbox"]

    async def pay(ref: str, amount_minor: int, key: str) -> bool:
        return True

    monkeypatch.setattr(provider, "refund", pay)
    await shop.until_claim((await refund(shop, payment, 999)).json()["id"], "lost")
    await all_done(shop)
    found = await shop.payment(payment["id"])
    assert found["in_review"]
    told = [step["detail"] for step in found["steps"]]
    assert told.count("the provider has given back 0, we have 999 USD in minor units") == 1


async def test_a_step_read_before_coins_were_left_to_the_claim_books_nothing(bought):
    """Another claim was won meanwhile and left it its coins: what was read of it is not true any more."""
    shop, payment = bought
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    database = shop.web.engines.database
    await back_by_hand(shop, payment, 999)
    id = f"{payment['id']}-refunded-999"
    await shop.until_claim(id, "frozen")
    await shop.decide(dispute, "won")
    while (await shop.claim(dispute)).wanted != "won":
        await shop.events.step()
    due = {one.id: one for one in await due_claims(database, 10)}
    assert await win(database, due[dispute])
    assert not await lose(database, due[id])
    await all_done(shop)
    assert (await shop.coins(), (await shop.claim(id)).frozen_coins) == (0, 770)
    await shop.proved()


async def test_a_provider_that_was_away_is_asked_again_within_a_minute(bought, monkeypatch):
    """What is to be asked soon is not put off for hours because nobody answered."""
    shop, payment = bought
    await fails(shop, payment, drop=True)
    await back_by_hand(shop, payment, 999)
    database = shop.web.engines.database
    async with database.begin() as connection:
        await connection.exec_driver_sql("UPDATE payment SET ask_again_at = now()")

    async def away(ref: str) -> None:
        raise ProviderAway("it hangs")

    with monkeypatch.context() as hanging:
        hanging.setattr(shop.inquiry.providers["sandbox"], "fetch", away)
        assert await shop.reconciler().step() == 0
    await all_done(shop)
    assert await shop.coins() == 0


async def test_a_refund_that_covers_no_whole_coin_is_paid(bought):
    """A cent is less than a coin: the money goes, and the coins of all parts together are rounded once."""
    shop, payment = bought
    for _ in range(3):
        await shop.until_claim((await refund(shop, payment, 1)).json()["id"], "lost")
    assert await shop.coins() == 770 - 770 * 3 // 999
    await shop.proved()
    assert_refused(await refund(shop, payment, 997), 409, "refund_too_large")

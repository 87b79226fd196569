"""Disputes as operators find them: newest first, by how they stand, with who bears what."""

from typing import Any

from tests.giftserver.conftest import assert_refused
from tests.giftserver.recharge.buyers import send
from tests.giftserver.shop import Shop


async def listed(shop: Shop, query: str = "") -> Any:
    """The answer to an operator."""
    answer = await shop.web.http.get(f"/v1/ops/disputes{query}", headers=shop.web.bearer("olga", "admin"))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_disputes_are_found_with_who_bears_them(bought: tuple[Shop, dict[str, Any]]) -> None:
    """A lost one of spent coins says what is owed and given back; pages follow each other; refunds are none."""
    shop, payment = bought
    await send(shop, 7)
    other = await shop.paid("ben")
    await shop.until_state(other["id"], "credited", "ben")
    lost = await shop.dispute(payment, amount_minor=999)
    await shop.until_claim(lost, "frozen")
    await shop.decide(lost, "lost")
    await shop.until_claim(lost, "lost")
    still = await shop.dispute(other)
    await shop.until_claim(still, "frozen")
    third = await shop.paid("chloe")
    await shop.until_state(third["id"], "credited", "chloe")
    body = {"key": "01990000-0000-7000-8000-000000000001", "amount_minor": 100, "reason": "a refund is no dispute"}
    operator = shop.web.bearer("olga", "admin")
    asked = await shop.web.http.post(f"/v1/ops/payments/{third['id']}/refund", json=body, headers=operator)
    assert asked.status_code == 200, asked.text

    found = await listed(shop)
    assert [(one["id"], one["state"], one["user"]) for one in found["disputes"]] == [
        (still, "frozen", "ben"), (lost, "lost", "ana")
    ]  # fmt: skip
    assert found["next"] is None
    [one] = (await listed(shop, "?state=lost"))["disputes"]
    burdens = ("owed_coins", "repaid_coins", "clawed_diamonds", "lost_diamonds", "frozen_coins")
    assert [one[name] for name in burdens] == [700, 0, 700, 0, 70]
    assert (one["payment"], one["amount_minor"], one["currency"]) == (payment["id"], 999, "USD")
    assert [one["id"] for one in (await listed(shop, "?state=open"))["disputes"]] == [still]
    assert (await listed(shop, "?state=won"))["disputes"] == []
    first = await listed(shop, "?limit=1")
    assert [one["id"] for one in first["disputes"]] == [first["next"]] == [still]
    rest = await listed(shop, f"?limit=1&before={still}")
    assert [one["id"] for one in rest["disputes"]] == [lost]
    assert (await listed(shop, f"?before={lost}"))["disputes"] == []
    assert (await listed(shop, "?before=dp_nobody"))["disputes"] == []
    answer = await shop.web.http.get("/v1/ops/disputes", headers=shop.web.bearer("ana"))
    assert_refused(answer, 403, "forbidden")

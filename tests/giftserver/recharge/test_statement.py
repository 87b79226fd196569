"""What a statement says of money: bought coins and bonus apart, and what became of claims."""

import csv
import io
from datetime import UTC, datetime
from typing import Any

from giftserver.auth.tokens import mint
from giftserver.recharge.money import EXPONENTS, decimal
from tests.giftserver.recharge.buyers import refund, send
from tests.giftserver.shop import Shop, new_key

NOTHING = {"refunded_minor": 0, "disputed_minor": 0, "dispute_won_minor": 0, "dispute_lost_minor": 0}


async def statement(shop: Shop, ending: str = "") -> Any:
    """Ana's statement of this month, with everything in it in the ledger."""
    await shop.web.settle()
    path = f"/v1/wallet/statements/{datetime.now(UTC):%Y-%m}{ending}"
    answer = await shop.web.http.get(path, headers=shop.web.bearer("ana"))
    assert answer.status_code == 200, answer.text
    if ending:
        return list(csv.DictReader(io.StringIO(answer.text, newline="")))
    found = answer.json()
    moved = found["closing_coins"] - found["opening_coins"]
    assert sum(total["coins"] for total in found["totals"]) == moved == await shop.balance("wallet", "ana")
    return found


async def bought_in_japan(shop: Shop) -> dict[str, Any]:
    """Ana buys 700 coins where they cost yen."""
    token = mint(shop.web.settings, "ana", "Ana", "viewer", None, 600, "JP")
    body = {"key": new_key(), "provider": "sandbox", "pack": "coins-700", "amount_minor": 1_500, "currency": "JPY"}
    answer = await shop.web.http.post("/v1/payments", json=body, headers={"authorization": f"Bearer {token}"})
    payment: dict[str, Any] = answer.json()
    await shop.pay(payment)
    return await shop.until_state(payment["id"], "credited")


def totals(found: dict[str, Any]) -> dict[str, tuple[int, int]]:
    return {total["kind"]: (total["entries"], total["coins"]) for total in found["totals"]}


async def test_money_and_coins_of_a_month(bought: tuple[Shop, dict[str, Any]]) -> None:
    """Paid in two currencies, given back in part, disputed and decided: each in its place, and coins add up."""
    shop, payment = bought
    await send(shop, 3)
    found = await statement(shop)
    dollars = {"currency": "USD", "exponent": 2, "paid_minor": 999, **NOTHING}
    assert found["money"] == [dollars]
    assert totals(found) == {"recharge": (1, 700), "bonus": (1, 70), "gift": (1, -300)}
    yen = {"currency": "JPY", "exponent": 0, "paid_minor": 1_500, **NOTHING}
    second = await bought_in_japan(shop)
    given_back = (await refund(shop, second, 500)).json()["id"]
    await shop.until_claim(given_back, "lost")
    dispute = await shop.dispute(payment)
    await shop.until_claim(dispute, "frozen")
    found = await statement(shop)
    assert found["money"] == [{**yen, "refunded_minor": 500}, {**dollars, "disputed_minor": 999}]
    moved = {"gift": (1, -300), "recharge": (2, 1_400), "bonus": (1, 70), "claim_open": (2, -470 - 700 * 500 // 1_500)}
    assert totals(found) == moved
    await shop.decide(dispute, "won")
    await shop.until_claim(dispute, "won")
    found = await statement(shop)
    assert found["money"][1] == {**dollars, "disputed_minor": 999, "dispute_won_minor": 999}
    assert totals(found) == {**moved, "claim_won": (1, 470)}
    headers = shop.web.bearer("ben")
    others = (await shop.web.http.get(f"/v1/wallet/statements/{found['month']}", headers=headers)).json()
    assert (others["money"], others["totals"], others["entries"]) == ([], [], [])


async def test_csv_tells_the_money_of_each_purchase(bought: tuple[Shop, dict[str, Any]]) -> None:
    """In plain decimals and in minor units, beside the payment; the month's sums stand below the closing balance."""
    shop, payment = bought
    await shop.until_claim(await shop.dispute(payment), "frozen")
    rows = await statement(shop, ".csv")
    assert [row["record"] for row in rows] == ["opening", "entry", "entry", "closing", "money", "money"]
    bought_row = rows[1]
    assert (bought_row["kind"], bought_row["coins"], bought_row["payment"]) == ("recharge", "770", payment["id"])
    assert (bought_row["currency"], bought_row["money"], bought_row["money_minor"]) == ("USD", "9.99", "999")
    assert [(row["kind"], row["currency"], row["money"], row["money_minor"]) for row in rows[-2:]] == [
        ("paid", "USD", "9.99", "999"), ("disputed", "USD", "9.99", "999"),
    ]  # fmt: skip
    assert int(rows[0]["balance_coins"]) + sum(int(row["coins"] or 0) for row in rows) == int(rows[3]["balance_coins"])


def test_decimals_have_the_digits_of_their_currency() -> None:
    """None of yen, three of dinars, and small amounts keep their zero."""
    written = {("USD", 5): "0.05", ("JPY", 750): "750", ("KWD", 1550): "1.550", ("USD", -100): "-1.00"}
    assert {(currency, minor): decimal(minor, currency) for currency, minor in written} == written
    assert {EXPONENTS[currency] for currency, _ in written} == {0, 2, 3}

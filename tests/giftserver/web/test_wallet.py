"""The wallet: exact at every moment, and nobody else's."""

from collections.abc import Callable

from tests.giftserver.conftest import Outage, Web, assert_refused

FREE = {"on_hold": False, "frozen_coins": 0, "owed_coins": 0}


async def test_a_wallet_tells_what_is_settled(web: Web, new_key: Callable[[], str]) -> None:
    """Coins of a gift leave at once and settle with the flush; the three numbers always add up."""
    ana = web.bearer("ana")
    assert (await web.http.get("/v1/wallet", headers=ana)).json() == {
        "coins": 0, "settled_coins": 0, "unsettled_coins": 0, **FREE,
    }  # fmt: skip
    await web.give_coins("ben", 100)
    ben = web.bearer("ben")
    await web.send_gift("ben", new_key(), quantity=7)
    unsettled = (await web.http.get("/v1/wallet", headers=ben)).json()
    assert unsettled == {"coins": 93, "settled_coins": 100, "unsettled_coins": 7, **FREE}
    await web.settle()
    settled = (await web.http.get("/v1/wallet", headers=ben)).json()
    assert settled == {"coins": 93, "settled_coins": 93, "unsettled_coins": 0, **FREE}


async def test_the_statement_is_complete_page_by_page(web: Web, new_key: Callable[[], str]) -> None:
    """Newest first; each balance is the one before it plus the amount; other people's entries are not there."""
    await web.give_coins("ana", 50)
    await web.give_coins("ben", 50)
    for quantity in (1, 2, 3):
        await web.send_gift("ana", new_key(), quantity=quantity)
    await web.settle()
    entries, before = [], ""
    while before is not None:
        query = f"limit=2&before={before}" if before else "limit=2"
        page = (await web.http.get(f"/v1/wallet/history?{query}", headers=web.bearer("ana"))).json()
        entries += page["entries"]
        before = page["next"]
    assert [entry["amount_coins"] for entry in entries] == [-3, -2, -1, 50]
    assert [entry["balance_coins"] for entry in entries] == [44, 47, 49, 50]
    assert entries[0]["gift"] == "dewdrop"
    assert entries[0]["creator"] == "mira"
    assert entries[-1]["kind"] == "grant"
    assert entries[-1]["gift"] is None


async def test_a_wrong_page_is_refused(web: Web) -> None:
    """Numbers of the query have bounds."""
    for query in ("limit=0", "limit=201", "before=0", "before=x", "before=9007199254740992"):
        answer = await web.http.get(f"/v1/wallet/history?{query}", headers=web.bearer("ana"))
        assert_refused(answer, 400, "bad_request")


async def test_a_wallet_needs_a_person(web: Web) -> None:
    """Nobody and overlays have none."""
    overlay = web.bearer("mira", "overlay", room="harbour")
    for path in ("/v1/wallet", "/v1/wallet/history"):
        assert_refused(await web.http.get(path), 401, "unauthorized")
        assert_refused(await web.http.get(path, headers=overlay), 403, "forbidden")


async def test_the_balance_is_told_while_postgresql_is_away(outage: Outage, new_key: Callable[[], str]) -> None:
    """Redis knows the coins; what is settled is null, not guessed. A wallet that is not loaded is never shown as 0."""
    web = outage.web
    await web.give_coins("ana", 100)
    await web.send_gift("ana", new_key(), quantity=7)
    await outage.proxy.stop()
    answer = await web.http.get("/v1/wallet", headers=web.bearer("ana"))
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"coins": 93, "settled_coins": None, "unsettled_coins": None, **dict.fromkeys(FREE)}
    refused = assert_refused(await web.http.get("/v1/wallet", headers=web.bearer("ben")), 503, "unavailable")
    assert refused["temporary"] is True


async def test_null_is_in_the_document(web: Web) -> None:
    """Clients learn from OpenAPI that settled coins may be unknown."""
    document = (await web.http.get("/openapi.json")).json()
    fields = document["components"]["schemas"]["WalletAnswer"]["properties"]
    for name in ("settled_coins", "unsettled_coins"):
        assert {"type": "null"} in fields[name]["anyOf"]
    assert fields["coins"] == {"type": "integer"}

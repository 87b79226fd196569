"""The JavaScript client, against a socket and a clock that the test owns."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route

ROOT = Path(__file__).resolve().parents[2]
ORIGIN = "http://gifts.test"
TYPES = {".js": "text/javascript", ".html": "text/html"}


def from_disk(route: Route) -> None:
    """The tree as a site, without a server."""
    path = route.request.url.removeprefix(ORIGIN)
    if path == "/":
        route.fulfill(body="<!doctype html><title>client</title>", content_type="text/html")
        return
    file = ROOT / path.lstrip("/").split("?")[0]
    route.fulfill(body=file.read_text(), content_type=TYPES.get(file.suffix, "text/plain"))


@pytest.fixture(scope="module")
def run(chromium: Browser) -> Iterator[Callable[[str], Any]]:
    """`run(script)`: the script's returned value; the harness's names are in scope."""
    page = chromium.new_page()
    page.route(f"{ORIGIN}/**", from_disk)
    page.goto(ORIGIN + "/")

    def evaluate(script: str) -> Any:
        names = "room, gift, receipt, refusal, settle, welcome, Clock, Storage, Socket, ANA"
        return page.evaluate(
            f"async () => {{ const {{ {names} }} = await import('/tests/browser/giftclient_harness.js'); {script} }}"
        )

    yield evaluate
    page.close()


def test_a_gift_has_a_time_ordered_key_and_resolves_with_its_receipt(run):
    """send_gift carries a UUIDv7 of the server's time and what the sender was shown; the reply is the result."""
    sent, result, now_ms = run("""
        const at = await room({ welcome: false });
        at.welcome({ server_time_ms: at.clock.ms + 86_400_000 });
        const promise = at.client.sendGift({ gift: 'kite', quantity: 2, priceCoins: 10, note: 'hi' });
        const [sent] = at.sent();
        at.socket.says({ type: 'reply', id: sent.id, result: receipt(sent.key) });
        return [sent, await promise, at.clock.ms];
    """)
    assert (sent["gift"], sent["quantity"], sent["price_coins"], sent["note"]) == ("kite", 2, 10, "hi")
    assert sent["key"][14] == "7"
    assert int(sent["key"].replace("-", "")[:12], 16) == now_ms + 86_400_000
    assert result["key"] == sent["key"]


def test_pending_gifts_go_out_again_in_order_with_the_same_keys(run):
    """What had no reply when the connection broke is sent again, oldest first, on the next one."""
    first, second = run("""
        const at = await room();
        for (const gift of ['kite', 'rose', 'clover']) at.client.sendGift({ gift });
        const first = at.sent();
        at.socket.says({ type: 'reply', id: first[1].id, result: receipt(first[1].key) });
        at.socket.ends(1006);
        await at.clock.pass(1_000);
        at.welcome({ resumed: true });
        return [first, at.sent()];
    """)
    assert [one["gift"] for one in second] == ["kite", "clover"]
    assert [one["key"] for one in second] == [first[0]["key"], first[2]["key"]]


def test_a_reply_that_does_not_come_is_asked_for_again(run):
    """After the timeout the same key goes out once more on the same connection, under a new id."""
    sent = run("""
        const at = await room();
        at.client.sendGift({ gift: 'kite' });
        for (let i = 0; i < 9; i += 1) { await at.clock.pass(1_000); at.socket.says(); }
        return at.sent();
    """)
    assert len(sent) == 2
    assert sent[0]["key"] == sent[1]["key"]
    assert sent[0]["id"] != sent[1]["id"]


def test_a_temporary_refusal_waits_as_asked_and_holds_those_behind_it(run):
    """retry_after_ms is kept, the order too; only `temporary: false` is final."""
    early, late, error, shown = run("""
        const at = await room();
        const first = at.client.sendGift({ gift: 'kite', priceCoins: 10 }).catch((problem) => problem);
        at.socket.says(refusal(1, 'rate_limited', { temporary: true, retry_after_ms: 3000 }));
        at.client.sendGift({ gift: 'rose', priceCoins: 1 });
        await at.clock.pass(2_900);
        const early = at.sent().length;
        const shown = at.client.balance.shown_coins;
        await at.clock.pass(200);
        const late = at.sent().slice(1).map((one) => one.gift);
        at.socket.says(refusal(at.sent()[1].id, 'insufficient_coins', { balance_coins: 3 }));
        const { code, details } = await first;
        return [early, late, { code, details }, shown];
    """)
    assert early == 1
    assert late == ["kite", "rose"]
    assert error == {"code": "insufficient_coins", "details": {"balance_coins": 3}}
    assert shown == 100 - 10 - 1


def test_a_reload_still_resolves_what_was_pending(run):
    """Pending keys are in storage: a new client of the same room sends them and tells the outcome."""
    restored, left = run("""
        const storage = new Storage();
        const before = await room({ storage });
        before.client.sendGift({ gift: 'kite' });
        const { key } = before.sent()[0];
        before.client.close();
        const at = await room({ storage });
        const sent = at.sent()[0];
        at.socket.says({ type: 'reply', id: sent.id, result: receipt(sent.key) });
        return [at.seen.receipt.map((one) => [one.key === key, one.restored]), storage.kept.size];
    """)
    assert restored == [[True, True]]
    assert left == 0


def test_gifts_of_somebody_else_are_never_sent_as_me(run):
    """Another person in the same tab leaves the first one's pending gifts alone, and they are still there after."""
    as_ben, as_ana = run("""
        const storage = new Storage();
        const before = await room({ storage });
        before.client.sendGift({ gift: 'kite' });
        before.client.close();
        const ben = await room({ storage, welcome: false });
        ben.welcome({ you: { ...ANA, id: 'ben' } });
        const asBen = ben.sent().length;
        ben.client.close();
        const ana = await room({ storage });
        return [asBen, ana.sent().length];
    """)
    assert (as_ben, as_ana) == (0, 1)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        ("{ transfer: 't', key, coins: 10, diamonds: 10, state: 'settled' }", "settled"),
        ("null", "key_expired"),
    ],
)
def test_a_key_older_than_ten_minutes_is_asked_about_and_not_sent(run, outcome, expected):
    """The server would refuse it; what became of it is asked: the receipt, or certainty that nothing was charged."""
    sent, ended = run(f"""
        const at = await room({{ client: {{ fetchOutcome: async (key) => ({outcome}) }} }});
        const promise = at.client.sendGift({{ gift: 'kite' }}).catch((problem) => problem);
        at.socket.ends(1006);
        at.clock.chance = 1;
        Socket.prototype.send = function send(data) {{ this.sent.push(JSON.parse(data)); }};
        await at.clock.pass(600_001);
        at.welcome();
        const final = await promise;
        return [at.sent().length, final.state ?? final.code];
    """)
    assert sent == 0
    assert ended == expected


def test_resume_asks_from_the_last_offset_and_drops_what_came_twice(run):
    """?epoch=&offset= follow what was seen; a repeated offset is neither shown nor counted again."""
    query, offsets, totals = run("""
        const at = await room();
        at.socket.says(gift(1), gift(2, { quantity: 3, coins: 30, combo: 'c', combo_quantity: 3 }));
        at.socket.ends(1006);
        await at.clock.pass(1_000);
        const query = Object.fromEntries(at.socket.url.searchParams);
        at.socket.says(welcome(at.clock, { resumed: true, offset: 4 }), gift(2), gift(3), gift(4));
        at.socket.says(gift(4), gift(5));
        return [query, at.seen.gift.map((one) => one.offset), at.client.totals];
    """)
    assert query == {"ticket": "t2", "epoch": "e1", "offset": "2"}
    assert offsets == [1, 2, 3, 4, 5]
    assert totals == {"quantity": 7, "coins": 70}


def test_totals_sum_quantity_over_gifts_and_folded_items(run):
    """The counting rule: each event's own quantity, never the combo's; a snapshot starts the sum anew."""
    counted, anew = run("""
        const at = await room();
        at.socket.says(gift(1, { combo: 'c', combo_quantity: 1 }), gift(2, { combo: 'c', combo_quantity: 2 }));
        const rose = { gift: 'rose', quantity: 30, coins: 30, senders: 7 };
        const kite = { gift: 'kite', quantity: 2, coins: 20, senders: 1 };
        at.socket.says({ type: 'gifts_folded', offset: 40, items: [rose, kite] }, gift(39, { coins: 1000 }));
        at.socket.says({ type: 'combo_ended', offset: 41, combo: 'c', sender: ANA, ...kite });
        const counted = { ...at.client.totals };
        at.socket.ends(1006);
        await at.clock.pass(1_000);
        at.welcome({ epoch: 'e2', offset: 5 });
        return [counted, at.client.totals];
    """)
    assert counted == {"quantity": 35, "coins": 1070}
    assert anew == {"quantity": 0, "coins": 0}


def test_silence_of_two_and_a_half_heartbeats_is_a_dead_connection(run):
    """The watchdog lets go of a socket that says nothing and makes a new one."""
    before, after, code = run("""
        const at = await room();
        await at.clock.pass(49_000);
        at.socket.says();
        await at.clock.pass(49_900);
        const before = at.sockets.length;
        await at.clock.pass(1_000);
        return [before, at.sockets.length, at.sockets[0].closedWith];
    """)
    assert (before, after, code) == (1, 2, 4000)


def test_backoff_doubles_with_full_jitter_and_falls_only_after_five_stable_seconds(run):
    """Waits are drawn from 0 to a doubling ceiling; a connection that breaks at once does not reset it."""
    waits, after_stable = run("""
        const at = await room({ welcome: false });
        at.clock.chance = 1;
        const last = () => at.seen.state.findLast((one) => one.state === 'waiting').retry_in_ms;
        const waits = [];
        for (let i = 0; i < 7; i += 1) {
          at.welcome();
          at.socket.ends(1006);
          waits.push(last());
          await at.clock.pass(last());
        }
        at.welcome();
        await at.clock.pass(5_000);
        at.socket.ends(1006);
        return [waits, last()];
    """)
    assert waits == [500, 1000, 2000, 4000, 8000, 15000, 15000]
    assert after_stable == 500


@pytest.mark.parametrize(
    ("code", "again"),
    [
        (4001, True),
        (4008, True),
        (4499, True),
        (1006, True),
        (1012, True),
        (4501, False),
        (4503, False),
        (4507, False),
        (4999, False),
    ],
)
def test_close_codes_say_whether_to_come_back(run, code, again):
    """4000 to 4499 and everything unknown reconnect; 4500 to 4999 do not."""
    state, sockets = run(f"""
        const at = await room();
        at.socket.ends({code}, 'why');
        await at.clock.pass(60_000);
        return [at.client.state, at.sockets.length];
    """)
    assert (state == "closed") is not again
    assert (sockets > 1) is again


def test_a_bad_ticket_is_replaced_once(run):
    """4500 fetches a new ticket; a second one without a welcome between ends it."""
    tickets, state = run("""
        const at = await room({ welcome: false });
        at.socket.ends(4500);
        await at.clock.pass(1_000);
        at.socket.ends(4500);
        await at.clock.pass(60_000);
        return [at.sockets.map((one) => one.url.searchParams.get('ticket')), at.client.state];
    """)
    assert tickets == ["t1", "t2"]
    assert state == "closed"


def test_goodbye_says_when_to_come_back(run):
    """reconnect_after_ms is the least wait."""
    waited = run("""
        const at = await room();
        at.clock.chance = 0;
        at.socket.says({ type: 'goodbye', code: 4001, reason: 'draining', reconnect_after_ms: 2500 });
        at.socket.ends(4001);
        return at.seen.state.at(-1).retry_in_ms;
    """)
    assert waited == 2500


def test_a_gift_is_taken_back_only_when_it_cannot_have_been_charged(run):
    """Unsent or refused for now: yes. Sent without an answer: never."""
    sent, refused, unsent, code = run("""
        const at = await room();
        at.client.sendGift({ gift: 'kite' }).catch(() => {});
        const { key } = at.client.pending[0];
        const sent = at.client.cancel(key);
        at.socket.says(refusal(1, 'rate_limited', { temporary: true, retry_after_ms: 9000 }));
        const refused = at.client.cancel(key);
        at.socket.ends(1006);
        const promise = at.client.sendGift({ gift: 'rose' }).catch((problem) => problem.code);
        const unsent = at.client.cancel(at.client.pending[0].key);
        return [sent, refused, unsent, await promise];
    """)
    assert (sent, refused, unsent, code) == (False, True, True, "cancelled")


def test_watching_only_cannot_send(run):
    """Without an identity a gift is refused here, before it costs a round trip."""
    code = run("""
        const at = await room({ welcome: false });
        at.welcome({ you: null });
        return at.client.sendGift({ gift: 'kite' }).catch((problem) => problem.code);
    """)
    assert code == "unauthorized"


def test_it_runs_in_node():
    """No browser globals are needed: a socket class is enough."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    script = """
        const { GiftClient } = await import(process.argv[1]);
        class Socket {
          readyState = 1;
          constructor(url, protocols) {
            const welcome = { type: 'welcome', epoch: 'e', offset: 0, server_time_ms: Date.now(), heartbeat_s: 20 };
            const frame = JSON.stringify([{ ...welcome, resumed: false, you: { id: 'ana' } }]);
            queueMicrotask(() => this.onmessage({ data: frame }));
          }
          send(data) {
            const { id, key } = JSON.parse(data);
            this.onmessage({ data: JSON.stringify([{ type: 'reply', id, result: { key, state: 'accepted' } }]) });
          }
          close() {}
        }
        const client = new GiftClient({ base: 'http://gifts.test', room: 'r', WebSocket: Socket });
        client.addEventListener('welcome', async () => {
          queueMicrotask(async () => {
            console.log(JSON.stringify(await client.sendGift({ gift: 'kite' })));
            client.close();
          });
        });
        client.connect();
    """
    command = [node, "--input-type=module", "--eval", script, str(ROOT / "static/js/giftclient.js")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(done.stdout)["state"] == "accepted"

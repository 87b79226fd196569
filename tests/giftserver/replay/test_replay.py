"""`giftserver replay` against a running demo, whose bots give gifts in the same rooms meanwhile."""

import asyncio
import json
import os
import random
import re
import signal
import threading
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from giftserver.cli import main
from giftserver.demo.identity import kept_secret
from giftserver.demo.people import VISITORS
from giftserver.embedded.engine import free_port
from giftserver.replay import command
from giftserver.replay.api import Api
from giftserver.replay.link import JSON
from giftserver.replay.people import DemoPeople
from giftserver.replay.session import Plan, Session
from giftserver.replay.tally import Tally
from giftserver.replay.watcher import Watcher
from giftserver.traces.trace import BUNDLED, load_trace
from tests.demo_server import DemoServer, wait_until

TRUTH = {"window-a": 53, "window-b": 37, "window-c": 23}
WITNESSES = (
    "replies to the senders",
    "ledger, gift by gift",
    "ledger, senders' statements",
    "native client, msgpack",
    "native client, JSON",
    "overlay",
)


def replay(demo: DemoServer, *arguments: str, **environment: str) -> Result:
    """Run the command on the demo's data folder."""
    return CliRunner().invoke(command, [*arguments, "--data-dir", str(demo.folder)], env=environment)


def counted(result: Result) -> dict[str, int]:
    """Each line of the table and its coins."""
    lines = re.findall(r"^(.+?) {2,}(\d+) ", result.output, re.MULTILINE)
    return {name: int(coins) for name, coins in lines}


def by_visitors(demo: DemoServer, room: str) -> int:
    """How many gifts of a room's history come from people that no bot plays."""
    gifts = demo.ask("GET", f"/v1/rooms/{room}/gifts?limit=1000")["gifts"]
    return sum(gift["sender"]["id"] in VISITORS for gift in gifts)


@pytest.mark.parametrize("name", BUNDLED)
def test_everyone_agrees_through_chaos(demo: DemoServer, name: str) -> None:
    """With cut connections, lost replies and repeated keys, ledger and clients count the trace's true coins."""
    result = replay(demo, name, "--speed", "30", "--chaos", "--seed", "5", "--room", "attic")
    assert result.exit_code == 0, result.output
    table = counted(result)
    assert {witness: table.get(witness) for witness in WITNESSES} == dict.fromkeys(WITNESSES, TRUTH[name])
    assert table["truth of the trace"] == TRUTH[name]
    assert table["adding up every frame"] == load_trace(name).naive_coins
    assert "replies lost" in result.output
    assert "connections cut after sending" in result.output


def test_no_option_but_the_file(demo: DemoServer, tmp_path: Path) -> None:
    """In the demo's folder the file is enough; the room is a live one."""
    trace = json.loads(Path(load_trace.__code__.co_filename).with_name("window-c.json").read_text())
    for event in trace["events"]:
        event["arrived_ms"] //= 20
    mine = tmp_path / "mine.json"
    mine.write_text(json.dumps(trace))
    result = replay(demo, str(mine))
    assert result.exit_code == 0, result.output


async def test_replays_in_one_room_do_not_disturb_each_other(demo: DemoServer) -> None:
    """Three at once in the same room with the same people: each counts its own gifts only."""

    async def one(name: str, seed: int) -> bool:
        api = Api(demo.url)
        plan = Plan(load_trace(name), "meadow", speed=20, chaos=True, seed=seed)
        return (await Session(api, DemoPeople(api), plan).run()).agreed

    assert await asyncio.gather(*(one(name, seed) for seed, name in enumerate(BUNDLED))) == [True] * 3


@pytest.mark.parametrize("victims", [("flusher",), ("web", "flusher", "web")])
def test_processes_are_killed_in_the_middle(demo: DemoServer, victims: tuple[str, ...]) -> None:
    """kill -9 mid-replay costs and doubles nothing, every gift is in the room's history, and the ledger verifies."""
    results: list[Result] = []
    arguments = ("window-b", "--speed", "4", "--chaos", "--room", "harbour", "--no-sdk")
    running = threading.Thread(target=lambda: results.append(replay(demo, *arguments)))
    running.start()
    killed = 0
    for victim in victims:
        before, given = demo.child(victim), by_visitors(demo, "harbour")
        wait_until(lambda given=given: by_visitors(demo, "harbour") > given or not running.is_alive())
        if not running.is_alive():  # a busy machine takes longer to start a process than the rest of the trace
            break
        demo.kill(victim)
        killed += 1
        wait_until(lambda victim=victim, before=before: demo.restarted(victim, before) and demo.ready(), 60.0)
    running.join(timeout=200)
    assert killed
    assert results[0].exit_code == 0, results[0].output
    paid = {transfer for person in VISITORS for transfer in statement(demo, person, "harbour")}
    assert wait_until(lambda: paid <= shown(demo, "harbour")), paid - shown(demo, "harbour")
    verified = CliRunner().invoke(main, ["verify"], env={"GIFTSERVER_DATA_DIR": str(demo.folder)})
    assert verified.exit_code == 0, verified.output


def statement(demo: DemoServer, person: str, room: str) -> list[str]:
    """Transfers of the gifts that a person's wallet paid into a room, newest page."""
    entries = demo.ask("GET", "/v1/wallet/history?limit=100", user=person)["entries"]
    return [entry["transfer"] for entry in entries if entry["room"] == room]


def shown(demo: DemoServer, room: str) -> set[str]:
    """Transfers in a room's history; twice the same would be a gift shown twice."""
    gifts = demo.ask("GET", f"/v1/rooms/{room}/gifts?limit=1000")["gifts"]
    transfers = [gift["transfer"] for gift in gifts]
    assert len(set(transfers)) == len(transfers)
    return set(transfers)


def test_a_server_that_hangs(demo: DemoServer) -> None:
    """When no replies come any more the replay ends at its deadline and says how many gifts are open."""
    results: list[Result] = []
    arguments = ("window-b", "--speed", "4", "--room", "attic", "--no-sdk", "--deadline-s", "3")
    running = threading.Thread(target=lambda: results.append(replay(demo, *arguments)))
    web, given = demo.child("web"), by_visitors(demo, "attic")
    running.start()
    wait_until(lambda: by_visitors(demo, "attic") > given)
    os.kill(web, signal.SIGSTOP)
    try:
        running.join(timeout=100)
    finally:
        os.kill(web, signal.SIGCONT)
    wait_until(demo.ready, 60.0)
    assert results[0].exit_code == 1
    assert re.search(
        r"Error: \d+ gifts have no reply after the deadline of 3 s: is the server running", results[0].output
    )


def test_signed_people_need_coins(demo: DemoServer) -> None:
    """Elsewhere than in the demo people are made with the secret, and must have coins."""
    secret = kept_secret(demo.folder) or ""
    poor = replay(demo, "window-a", "--secret", "--no-sdk", GIFTSERVER_JWT_SECRET=secret)
    assert poor.exit_code == 1
    assert "replay-1 has 0 coins and needs 5: credit them first." in poor.output
    rich = replay(
        demo, "window-a", "--secret", "--senders", "emeka,gui", "--speed", "50", "--no-sdk",
        GIFTSERVER_JWT_SECRET=secret,
    )  # fmt: skip
    assert rich.exit_code == 0, rich.output
    assert "2 wallets" in rich.output


def test_a_token_command(demo: DemoServer, tmp_path: Path) -> None:
    """Tokens may come from any command; one that gives none is named."""
    token = demo.ask("POST", "/demo/token", {"id": "chloe"})["token"]
    (tmp_path / "chloe").write_text(token)
    arguments = ("window-c", "--speed", "50", "--no-sdk", "--senders", "chloe", "--token-command")
    result = replay(demo, *arguments, f"cat {tmp_path}/{{user}}")
    assert result.exit_code == 0, result.output
    assert "The overlay was not a witness" in result.output
    failed = replay(demo, *arguments, "false {user}")
    assert failed.exit_code == 1
    assert "The token command gave no token for chloe (exit 1)." in failed.output


def test_rooms_that_take_no_gifts(demo: DemoServer) -> None:
    """An unknown room is answered with those there are, an offline one with what is missing."""
    unknown = replay(demo, "window-a", "--room", "cellar")
    assert unknown.exit_code == 1
    assert "There is no room cellar: there are " in unknown.output
    demo.ask("POST", "/v1/rooms/attic/live", {"live": False}, user="tomas")
    try:
        offline = replay(demo, "window-a", "--room", "attic")
    finally:
        demo.ask("POST", "/v1/rooms/attic/live", {"live": True}, user="tomas")
    assert offline.exit_code == 1
    assert "Room attic is not live" in offline.output


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["window-x"], "window-x: cannot be read: No such file or directory"),
        (["window-a", "--url", "localhost"], "not an http:// or https:// address"),
        (["window-a", "--url", "{nobody}"], "does not answer"),
        (["window-a", "--url", "{nobody}", "--secret"], "GIFTSERVER_JWT_SECRET, which is not set"),
    ],
)
def test_sentences(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    """What is in the way is told in one sentence with status 1, never with a traceback."""
    nobody = f"http://127.0.0.1:{free_port()}"
    given = [argument.format(nobody=nobody) for argument in arguments]
    result = CliRunner().invoke(command, [*given, "--data-dir", str(tmp_path)])
    assert result.exit_code == 1
    assert sentence in result.output
    assert isinstance(result.exception, SystemExit)


def test_no_server_anywhere(tmp_path: Path) -> None:
    """Without a demo and without an address the way out is told."""
    environment = {"GIFTSERVER_PORT": str(free_port())}
    result = CliRunner().invoke(command, ["window-a", "--data-dir", str(tmp_path)], env=environment)
    assert result.exit_code == 1
    assert "start one with `giftserver demo`, or name it with --url" in result.output


async def test_a_watcher_hides_no_repeat() -> None:
    """A gift that is shown twice counts twice: a watcher would notice a server that does it."""

    async def credentials() -> tuple[dict[str, str], dict[str, str]]:
        return {}, {}

    watcher = Watcher("one", "ws://nowhere", JSON, Tally({"rose": 3}), credentials, random.Random(1))
    gift: dict[str, Any] = {"type": "gift", "offset": 1, "transfer": "07-1-1", "gift": "rose", "quantity": 2}
    watcher._take([{"type": "welcome", "epoch": "e", "offset": 0, "resumed": False}, gift])
    assert watcher.tally.coins_of({"07-1-1"}) == 6
    assert watcher.tally.coins_of({"07-1-2"}) == 0
    watcher._take([gift])
    assert watcher.tally.coins_of({"07-1-1"}) == 12
    watcher._take([{"type": "gifts_folded", "offset": 2, "items": [{"gift": "rose", "quantity": 4}]}])
    assert (watcher.tally.folded_coins, await watcher._address()) == (12, ("ws://nowhere?epoch=e&offset=2", {}))

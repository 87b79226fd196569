"""`giftserver replay`: its options, and its sentences when something is in the way."""

import asyncio
import contextlib
import json
import math
from pathlib import Path
from typing import Any, Final

import click

from giftserver.replay.api import Api, Refused, Unreachable
from giftserver.replay.menu import NoGift
from giftserver.replay.people import CommandPeople, DemoPeople, NoIdentity, People, SignedPeople, is_demo
from giftserver.replay.report import Report
from giftserver.replay.session import Plan, ReplayFailed, Session
from giftserver.settings import Settings
from giftserver.traces.trace import Trace, TraceError, load_trace

EXPECTED: Final = (ReplayFailed, NoGift, NoIdentity, Refused, Unreachable, TraceError, ValueError)


class Finite(click.FloatRange):
    """A range of numbers that are numbers: `nan` passes every comparison."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number, or click's complaint."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


@click.command(name="replay")
@click.argument("file")
@click.option("--room", help="Room to play in; the first live one when left out.")
@click.option("--speed", type=Finite(0.01, 10_000), default=1.0, show_default=True, help="Times faster.")
@click.option("--url", help="Address of the server; a running demo's is found by itself.")
@click.option("--chaos", is_flag=True, help="Cut connections, lose replies, send keys again.")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the chaos and of all pauses.")
@click.option(
    "--deadline-s", type=click.FloatRange(1, 3_600), default=60.0, show_default=True,
    help="Seconds for replies after the last gift, and again for the ledger and the clients.",
)  # fmt: skip
@click.option("--secret", is_flag=True, help="Sign tokens with GIFTSERVER_JWT_SECRET.")
@click.option("--token-command", help="Command that prints a token; {user} and {role} are filled in.")
@click.option("--senders", help="Ids of the people who send, comma separated (not in the demo).")
@click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder of the demo's data.")
@click.option("--sdk/--no-sdk", default=True, show_default=True, help="Let the browser SDK count too, under Node.")
def command(file: str, **options: Any) -> None:
    """Play the recorded trace FILE as viewers would, and check that everyone counts the same coins.

    FILE is a path, or one of window-a, window-b, window-c, which come along. Against a running demo nothing else is
    needed. Elsewhere say how to be somebody: --secret or --token-command; the senders need coins.

    Exit status: 0 when the ledger and every client agree with the trace, 1 when they do not or it cannot be done.
    """
    given = {"data_dir": options["data_dir"]} if options["data_dir"] else {}
    settings = Settings(**given)
    try:
        trace = load_trace(file)
        report = asyncio.run(replay(trace, settings, options))
    except EXPECTED as problem:
        raise click.ClickException(str(problem)) from problem
    for line in report.text():
        click.echo(line)
    if not report.agreed:
        raise click.ClickException("Not everyone agrees with the trace: see the lines that say DIFFERS.")


async def replay(trace: Trace, settings: Settings, options: dict[str, Any]) -> Report:
    """Find the server and the people, and run the session."""
    api = Api(options["url"] or await find_server(settings))
    people = await find_people(api, settings, options)
    room = options["room"] or await first_live_room(api)
    sdk = settings.static_dir / "js" / "giftclient.js"
    plan = Plan(
        trace, room, options["speed"], options["chaos"], options["seed"], options["deadline_s"],
        sdk.resolve() if options["sdk"] and sdk.is_file() else None,
    )  # fmt: skip
    click.echo(f"{trace.name} in room {room} of {api.url}, {plan.speed:g} times as fast as it was recorded.")
    return await Session(api, people, plan).run()


async def find_server(settings: Settings) -> str:
    """Address of the demo in the data folder, else the one in the settings. Raises ReplayFailed."""
    candidates = []
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):  # no demo ran in this folder
        candidates.append(str(json.loads((settings.data_dir / "demo.json").read_text())["url"]))
    candidates.append(settings.base_url)
    for url in candidates:
        try:
            await Api(url).get("/v1/rooms")
        except Unreachable:
            continue
        return url
    tried = " nor ".join(dict.fromkeys(candidates))
    raise ReplayFailed(f"No server at {tried}: start one with `giftserver demo`, or name it with --url.")


async def find_people(api: Api, settings: Settings, options: dict[str, Any]) -> People:
    """The people to be, by the options or by the demo. Raises ReplayFailed."""
    names = [name.strip() for name in (options["senders"] or "").split(",") if name.strip()]
    if options["token_command"]:
        return CommandPeople(names, options["token_command"])
    if options["secret"]:
        if settings.jwt_secret is None:
            raise ReplayFailed("--secret signs with GIFTSERVER_JWT_SECRET, which is not set.")
        return SignedPeople(names, settings)
    if not await is_demo(api):
        raise ReplayFailed(f"{api.url} is not a demo: say how to be somebody with --secret or --token-command.")
    return DemoPeople(api)


async def first_live_room(api: Api) -> str:
    """Id of the first live room. Raises ReplayFailed."""
    for room in (await api.get("/v1/rooms"))["rooms"]:
        if room["status"] == "live":
            return str(room["id"])
    raise ReplayFailed("No room is live: start a stream, or name a room with --room.")

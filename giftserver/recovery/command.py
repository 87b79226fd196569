"""`giftserver recover`: what each shard needs, and the decisions that only a person can take."""

import asyncio
import time
from pathlib import Path

import click

from giftserver import cli
from giftserver.engines import open_engines
from giftserver.ledger import keys
from giftserver.recovery.recover import AnotherCoordinates, Outcome, events_beyond, from_postgresql, survey
from giftserver.recovery.selfcheck import engine_problems
from giftserver.recovery.verdict import Action
from giftserver.settings import Settings

MEANS = {
    Action.KEEP: "nothing to do",
    Action.REOPEN: "the worker opens it by itself",
    Action.REBUILD: "the worker fills and opens it by itself",
    Action.REPLAY: "the flusher fills PostgreSQL from the stream, then the worker opens it by itself",
    Action.STOP: "a person decides: giftserver recover --shard {shard} --from-postgresql",
}


@click.command("recover")
@click.option("--shard", type=click.IntRange(0, keys.SHARDS - 1), help="The shard to decide about.")
@click.option("--from-postgresql", is_flag=True, help="Give up its Redis; send again what the stream holds beyond.")
@click.option("--keep", type=click.Path(path_type=Path, dir_okay=False), help="New file for the events beyond.")
@click.option("--apply", is_flag=True, help="Do it. Without this nothing is changed.")
def command(shard: int | None, from_postgresql: bool, keep: Path | None, apply: bool) -> None:
    """Show what each shard needs; with --shard and --from-postgresql decide what only a person can.

    Without --apply it is a dry run. With it the worker must be stopped: one process decides at a time.
    """
    if from_postgresql != (shard is not None) or (apply and not from_postgresql):
        raise cli.WrongConfiguration("--shard and --from-postgresql belong together, and --apply needs both.")
    with cli.engines_for(cli.load_settings(), existing=True) as settings, cli.reachable():
        if apply and shard is not None:
            kept = keep or Path(f"shard-{shard:02d}-{int(time.time())}.jsonl")
            try:
                outcome = asyncio.run(_decide(settings, shard, kept))
            except AnotherCoordinates as problem:
                raise cli.Sentence("A worker coordinates this ledger: stop it first, then repeat this.") from problem
            except FileExistsError as problem:
                raise cli.Sentence(f"{kept} exists already: name another file with --keep.") from problem
            _tell(outcome)
            return
        stopped = asyncio.run(_show(settings, shard))
    raise SystemExit(1 if stopped else 0)


async def _decide(settings: Settings, shard: int, keep: Path) -> Outcome:
    async with open_engines(settings) as engines:
        return await from_postgresql(engines.database, engines.ledger_redis, shard, keep, click.echo)


async def _show(settings: Settings, only: int | None) -> bool:
    """Print every shard's state; whether one waits for a person."""
    async with open_engines(settings) as engines:
        for problem in await engine_problems(engines.ledger_redis, engines.database):
            click.echo(f"unfit: {problem}")
        found = await survey(engines.database, engines.ledger_redis)
        for shard, seen in found.items():
            if only in (None, shard):
                means = MEANS[seen.verdict.action].format(shard=shard)
                click.echo(f"shard {shard:02d}  {seen.verdict.action.value:<8} {seen.verdict.reason}; {means}")
            if only == shard:
                beyond = await events_beyond(engines.ledger_redis, shard, seen.book.cursor)
                click.echo(f"With --apply it goes on after {seen.book.cursor} and sends {len(beyond)} events again.")
    return any(seen.verdict.action is Action.STOP for seen in found.values())


def _tell(outcome: Outcome) -> None:
    click.echo(f"shard {outcome.shard:02d} is open: {len(outcome.again)} gifts sent again under their own keys.")
    for event, reason in outcome.refused.items():
        click.echo(f"  {event} was refused: {reason}. It is in the file.")
    for event, reason in outcome.unreadable.items():
        click.echo(f"  {event} cannot be booked: {reason}. It is in the file.")

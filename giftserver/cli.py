"""The command `giftserver`. Each command loads what it needs when it runs, so that the others stay quick."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import click

from giftserver import __version__

if TYPE_CHECKING:
    from giftserver.settings import Settings


LEDGER_URLS = (
    "GIFTSERVER_LEDGER_REDIS_URL and GIFTSERVER_DATABASE_URL, and run `giftserver migrate` if the database is new"
)


@dataclass(frozen=True)
class Elsewhere:
    """A command that lives with its part, which may need an extra that is not installed; "" when it needs none."""

    module: str
    attribute: str
    extra: str
    help: str


ELSEWHERE = {
    "explain": Elsewhere(
        "giftserver.explain",
        "command",
        "",
        "Show every entry of an account, what is in flight, and whether it adds up.",
    ),
    "recover": Elsewhere(
        "giftserver.recovery.command", "command", "", "Show what each shard needs, or decide about one."
    ),
    "receipt": Elsewhere("giftserver.receipts.command", "command", "", "Check a gift's signed receipt."),
    "sandbox": Elsewhere(
        "giftserver.sandbox.command",
        "command",
        "",
        "Play a payment provider: pages, webhooks, mischief. No real money.",
    ),
    "reconcile": Elsewhere(
        "giftserver.reconcile", "command", "", "Compare the clearing accounts with what payment providers say."
    ),
    "replay": Elsewhere(
        "giftserver.replay", "command", "load", "Play a recorded trace through the public socket and audit every coin."
    ),
}


class Sentence(click.ClickException):
    """Ends the command with one sentence on standard error and status 1."""

    def show(self, file: Any = None) -> None:
        """Write the sentence."""
        click.echo(f"giftserver: {self.message}", file=file, err=True)


class WrongConfiguration(Sentence):
    """Ends the command with one sentence and status 2: what was set does not fit."""

    exit_code = 2


class CommandLine(click.Group):
    """Loads some commands only when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of all commands."""
        return sorted({*super().list_commands(ctx), *ELSEWHERE})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command, loaded on demand; raises WrongConfiguration when its extra is missing."""
        if name not in ELSEWHERE:
            return super().get_command(ctx, name)
        place = ELSEWHERE[name]
        try:
            command = getattr(importlib.import_module(place.module), place.attribute)
        except ModuleNotFoundError as problem:
            if not place.extra:
                raise
            sentence = f"`giftserver {name}` needs {problem.name}: install giftserver[{place.extra}]."
            raise WrongConfiguration(sentence) from problem
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without loading those that live elsewhere."""
        rows = []
        for name in self.list_commands(ctx):
            here = super().get_command(ctx, name)
            rows.append((name, here.get_short_help_str(limit=100) if here else ELSEWHERE[name].help))
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def wrong_settings(errors: list[Any]) -> str:
    """One sentence about settings that do not fit; values are left out, for they may be secrets."""
    parts = []
    for error in errors:
        name = "_".join(str(part) for part in error["loc"]).upper()
        message = error["msg"].removeprefix("Value error, ")
        parts.append(f"GIFTSERVER_{name}: {message}" if name else message)
    return f"Wrong setting: {'; '.join(parts)}."


def load_settings(**given: Any) -> "Settings":
    """The settings, with those options of the command line that were given; raises WrongConfiguration."""
    from pydantic import ValidationError

    from giftserver.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as problem:
        raise WrongConfiguration(wrong_settings(problem.errors())) from problem


@contextmanager
def engines_for(settings: "Settings", *, existing: bool = False) -> Iterator["Settings"]:
    """Settings whose URLs are all set; what has none is embedded for the time of the block.

    An embedded database is brought to the present schema. With all URLs set nothing embedded is imported. With
    `existing` a folder that never held a ledger is refused: what is proved of an empty one says nothing.
    """
    missing = {
        "ledger": settings.ledger_redis_url is None,
        "rooms": settings.rooms_redis_url is None,
        "database": settings.database_url is None,
    }
    if not any(missing.values()):
        yield settings
        return
    from giftserver import embedded

    if existing and (missing["ledger"] or missing["database"]) and not embedded.was_here(settings.data_dir):
        raise WrongConfiguration(
            f"There is no ledger in {settings.data_dir.resolve()}: name the demo's data with GIFTSERVER_DATA_DIR, or "
            "set GIFTSERVER_LEDGER_REDIS_URL, GIFTSERVER_ROOMS_REDIS_URL and GIFTSERVER_DATABASE_URL."
        )
    try:
        with embedded.running(settings.data_dir, **missing) as urls:
            if urls.database_url is not None:
                upgrade(urls.database_url)
            yield settings.model_copy(update={name: url for name, url in asdict(urls).items() if url is not None})
    except embedded.EmbeddedError as problem:
        raise Sentence(str(problem)) from problem


def upgrade(database_url: str) -> None:
    """Run the missing migrations."""
    import asyncio

    from giftserver.durable import migrate

    asyncio.run(migrate.upgrade(database_url))


@contextmanager
def reachable(check: str = LEDGER_URLS) -> Iterator[None]:
    """Turn a server that cannot be reached into one sentence that says what to `check`."""
    from redis.exceptions import ConnectionError as RedisAway
    from redis.exceptions import TimeoutError as RedisSilent
    from sqlalchemy.exc import DBAPIError, InterfaceError

    from giftserver.errors import WrongSetting
    from giftserver.logs import conceal_text

    try:
        yield
    except WrongSetting as problem:
        raise WrongConfiguration(str(problem)) from problem
    except (OSError, RedisAway, RedisSilent, DBAPIError, InterfaceError) as problem:
        cause = conceal_text(str(problem).splitlines()[0])
        raise Sentence(f"A server of the settings cannot be used ({cause}): check {check}.") from problem


@contextmanager
def serving() -> Iterator["Settings"]:
    """Settings of a long-running process, with its logging configured."""
    from giftserver import failpoints, logs
    from giftserver.errors import WrongSetting

    settings = load_settings()
    logs.configure(settings.log_format, settings.log_level)
    failpoints.arm(settings.failpoints)
    with engines_for(settings) as ready:
        try:
            yield ready
        except WrongSetting as problem:
            raise WrongConfiguration(str(problem)) from problem


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="giftserver")
def main() -> None:
    """A gifting server for live streams, in which every coin is accounted for.

    Settings are environment variables GIFTSERVER_…; `giftserver settings` lists them.
    """


@main.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the demo's data.")
def demo(host: str | None, port: int | None, data_dir: str | None) -> None:
    """Run everything on this machine: engines, web, flusher, worker, and rooms with bots."""
    settings = load_settings(host=host, port=port, data_dir=data_dir, demo=True)
    from giftserver.demo.run import Demo
    from giftserver.embedded import EmbeddedError

    try:
        Demo(settings, click.echo).run()
    except EmbeddedError as problem:
        raise Sentence(str(problem)) from problem


@main.command()
@click.option(
    "--workers", type=click.IntRange(1, 256), help="Processes that share the port; SIGHUP replaces them one by one."
)
def web(workers: int | None) -> None:
    """Serve sockets, the HTTP API and the pages."""
    with serving() as settings:
        if workers is None:
            from giftserver.web.server import serve

            serve(settings)
        else:
            from giftserver.web.workers import run

            raise SystemExit(run(settings, workers))


@main.command()
def flusher() -> None:
    """Bring gifts from the ledger's streams to PostgreSQL."""
    with serving() as settings:
        from giftserver.flusher import run

        run(settings)


@main.command()
def worker() -> None:
    """Bring credits from PostgreSQL to the wallets, and coordinate the shards."""
    with serving() as settings:
        from giftserver.worker import run

        run(settings)


@main.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    with engines_for(load_settings()) as settings, reachable("GIFTSERVER_DATABASE_URL"):
        assert settings.database_url is not None
        upgrade(settings.database_url)
    click.echo("The database is up to date.")


@main.command()
def verify() -> None:
    """Prove that no coin is lost; status 1 when an invariant is violated. Gifts may flow meanwhile."""
    from giftserver.durable.verify import VerifyReport
    from giftserver.durable.verify import verify as prove
    from giftserver.engines import open_engines

    async def report(settings: "Settings") -> VerifyReport:
        async with open_engines(settings) as engines:
            return await prove(engines.database, engines.ledger_redis)

    with engines_for(load_settings(), existing=True) as settings, reachable():
        import asyncio

        proof = asyncio.run(report(settings))
    click.echo(proof.render())
    raise SystemExit(proof.exit_code)


@main.command()
@click.option("--user", required=True, help="Id of the person.")
@click.option("--name", help="Name that others see; the id when left out.")
@click.option(
    "--role",
    type=click.Choice(["viewer", "creator", "moderator", "overlay", "admin"]),
    default="viewer",
    show_default=True,
)
@click.option("--room", help="Only for this room.")
@click.option(
    "--ttl-s",
    type=click.IntRange(1, 30 * 86_400),
    default=900,
    show_default=True,
    help="Seconds it is good for.",
)
def token(user: str, name: str | None, role: str, room: str | None, ttl_s: int) -> None:
    """Print a signed token for a person, for trying things out."""
    from giftserver.auth import tokens
    from giftserver.demo.identity import kept_secret

    settings = load_settings()
    if settings.jwt_secret is None and (kept := kept_secret(settings.data_dir)):
        settings = load_settings(jwt_secret=kept)
    if settings.jwt_secret is None:
        raise WrongConfiguration(
            "There is no secret to sign with: set GIFTSERVER_JWT_SECRET (`openssl rand -hex 32` makes one), "
            "or run "
            "the demo once in this folder.",
        )
    name = user if name is None else name
    if problem := tokens.claims_problem(user, name, role, room):
        raise Sentence(f"No server would take that token: {problem}.")
    click.echo(tokens.mint(settings, user=user, name=name, role=role, room=room, ttl_s=ttl_s))


@main.command()
def settings() -> None:
    """List every setting: its value, where that comes from, and what it is for."""
    from giftserver.settings_list import lines

    for line in lines(load_settings()):
        click.echo(line)

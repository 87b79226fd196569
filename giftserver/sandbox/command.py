"""`giftserver sandbox`: the pretend payment provider, as a process of its own."""

from pathlib import Path
from typing import Final

import click
import uvicorn

from giftserver.sandbox.app import create_app
from giftserver.sandbox.config import SandboxConfig

SHUTDOWN_S: Final = 5
PORT: Final = 8090


@click.command(name="sandbox")
@click.option(
    "--host", default="127.0.0.1", envvar="GIFTSERVER_SANDBOX_HOST", show_default=True, help="Address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=PORT,
    envvar="GIFTSERVER_SANDBOX_PORT",
    show_default=True,
    show_envvar=True,
    help="Port to listen on.",
)
@click.option(
    "--secret", required=True, envvar="GIFTSERVER_SANDBOX_SECRET", show_envvar=True, help="API key of the merchant."
)
@click.option(
    "--webhook-secret",
    required=True,
    envvar="GIFTSERVER_SANDBOX_WEBHOOK_SECRET",
    show_envvar=True,
    help="Secret that signs webhooks.",
)
@click.option(
    "--journal",
    type=click.Path(dir_okay=False, path_type=Path),
    envvar="GIFTSERVER_SANDBOX_JOURNAL",
    show_envvar=True,
    help="File that keeps everything; without it the end forgets.",
)
@click.option(
    "--public-url",
    envvar="GIFTSERVER_SANDBOX_PUBLIC_URL",
    show_envvar=True,
    help="Where browsers reach it; http://HOST:PORT when left out.",
)
def command(
    host: str, port: int, secret: str, webhook_secret: str, journal: Path | None, public_url: str | None
) -> None:
    """Play a payment provider: hosted pages, webhooks, refunds, disputes, and mischief. No real money."""
    try:
        config = SandboxConfig(secret, webhook_secret, journal, public_url or f"http://{_in_url(host)}:{port}")
    except ValueError as problem:
        raise click.UsageError(f"The sandbox cannot start: {problem}.") from problem
    uvicorn.run(
        create_app(config),
        host=host,
        port=port,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_S,
    )


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host

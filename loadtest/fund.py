"""Gives people of a load test coins through the durable ledger, where the server gives none for free.

    python -m loadtest.fund --count 50 --coins 20000 > people.txt

prints their ids. It needs the settings of the server's engines (GIFTSERVER_DATABASE_URL and so on).
"""

import asyncio
import secrets

import click

from giftserver.cli import engines_for, load_settings
from giftserver.durable.credits import credit
from giftserver.engines import open_engines
from giftserver.settings import Settings


@click.command()
@click.option("--count", type=click.IntRange(1, 10_000), required=True, help="How many people.")
@click.option("--coins", type=click.IntRange(1, 10**9), required=True, help="Coins of each.")
@click.option("--prefix", default=lambda: f"load-{secrets.token_hex(4)}", help="Their ids begin with this.")
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the demo's data.")
def main(count: int, coins: int, prefix: str, data_dir: str | None) -> None:
    """Fund people and print their ids. The same prefix and coins again changes nothing."""
    people = [f"{prefix}-{number}" for number in range(1, count + 1)]
    with engines_for(load_settings(data_dir=data_dir)) as settings:
        asyncio.run(fund(settings, people, coins))
    for user in people:
        click.echo(user)


async def fund(settings: Settings, people: list[str], coins: int) -> None:
    """Credit each of them once. Raises ReferenceReused when the same people got another amount before."""
    async with open_engines(settings) as engines:
        for user in people:
            await credit(engines.database, user, coins, "grant", f"load-test:{user}")


if __name__ == "__main__":
    main()

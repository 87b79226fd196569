"""After a load test: is every acknowledged gift in the ledger once, is money conserved, did viewers see what was given?

    python -m loadtest.audit .loadtest --data-dir .giftserver

Reads the journals of one or more runs and the engines themselves. Exit status 0 when everything is right, else 1.
"""

import asyncio
from pathlib import Path
from typing import Final

import click

from giftserver.cli import engines_for, load_settings
from giftserver.durable.verify import verify
from giftserver.engines import open_engines
from giftserver.settings import Settings
from loadtest import checks
from loadtest.accounts import Accounts, put_together
from loadtest.checks import Finding
from loadtest.journal import JournalError, journal_files, read_journal

SHOWN_MAX: Final = 10


async def audit(settings: Settings, accounts: Accounts, deadline_s: float) -> list[Finding]:
    """Ask everything. Raises SQLAlchemy's and redis-py's errors when an engine is away."""
    async with open_engines(settings) as engines:
        settled = Finding("acknowledged gifts settled in time", 1)
        if not await checks.wait_until_settled(engines.database, accounts, deadline_s):
            settled.wrong.append(f"after {deadline_s:g} s some had not: does the flusher run?")
        ledger = await checks.read_ledger(engines.database, accounts)
        proof = await verify(engines.database, engines.ledger_redis)
    conserved = Finding("money is conserved", len(proof.invariants))
    for invariant in proof.invariants:
        if not invariant.holds:
            conserved.wrong.append(f"{invariant.name}: violated")
            conserved.wrong += [str(violation) for violation in invariant.violations]
    return [
        settled,
        checks.check_replies(accounts),
        checks.check_acknowledged(accounts, ledger),
        *checks.check_others(accounts, ledger),
        checks.check_nothing_else(accounts, ledger),
        checks.check_viewers(accounts),
        conserved,
    ]


def table(findings: list[Finding]) -> list[str]:
    """A line a question, what is wrong below it."""
    wide = max(len(finding.question) for finding in findings)
    lines = []
    for finding in findings:
        verdict = "WRONG" if finding.wrong else "right"
        line = f"{finding.question:<{wide}}  {finding.checked:>8,} checked  {verdict}  {finding.remark}"
        lines.append(line.rstrip())
        lines += [f"    {wrong}" for wrong in finding.wrong[:SHOWN_MAX]]
        if len(finding.wrong) > SHOWN_MAX:
            lines.append(f"    … and {len(finding.wrong) - SHOWN_MAX} more")
    return lines


def costs(accounts: Accounts) -> list[str]:
    """CPU of the server's processes while the run lasted, when they ran on the load generator's machine."""
    return [
        f"CPU {name:<14} {cpu_s:7.2f} s of {wall_s:.1f} s  {100 * cpu_s / wall_s:5.1f} %"
        for name, cpu_s, wall_s in sorted(set(accounts.costs))
        if wall_s > 0
    ]


@click.command()
@click.argument("journals", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--data-dir", type=click.Path(file_okay=False), help="Folder of the demo's data.")
@click.option("--deadline-s", type=click.FloatRange(0, 3_600), default=30.0, show_default=True, help="For the flusher.")
def main(journals: tuple[Path, ...], data_dir: str | None, deadline_s: float) -> None:
    """Audit the runs whose journals are in these files and folders."""
    try:
        accounts = put_together(line for path in journal_files(journals) for line in read_journal(path))
    except JournalError as problem:
        raise click.ClickException(str(problem)) from problem
    if not accounts.keys:
        raise click.ClickException("The journals hold no gift: there is nothing to audit.")
    with engines_for(load_settings(data_dir=data_dir)) as settings:
        findings = asyncio.run(audit(settings, accounts, deadline_s))
    for line in [*table(findings), *costs(accounts)]:
        click.echo(line)
    if any(finding.wrong for finding in findings):
        raise click.ClickException("The audit found something wrong.")


if __name__ == "__main__":
    main()

"""`giftserver reconcile`: whether payment providers say what our book says, payment by payment."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime

import click

from giftserver.cli import Sentence, engines_for, load_settings, reachable
from giftserver.engines import open_engines
from giftserver.recharge.balances import Balance, Report, compare, last_days, whole_day
from giftserver.recharge.money import EXPONENTS, in_words
from giftserver.recharge.providers import open_providers
from giftserver.settings import Settings


@click.command(name="reconcile")
@click.option("--provider", help="Only this one; all of GIFTSERVER_PAYMENTS when left out.")
@click.option("--day", help="Payments ordered on this UTC day, such as 2026-03-01; the last 31 days when left out.")
def command(provider: str | None, day: str | None) -> None:
    """Compare the clearing accounts with what payment providers say.

    Each payment is compared with all that became of it since. Status 1 when one differs that did not move just now, or
    when a provider does not answer. One that lists no movements (PayPal) counts only when it is named.
    """
    try:
        since, until = last_days(datetime.now(UTC)) if day is None else whole_day(day)
    except (ValueError, OverflowError) as problem:
        raise Sentence(f"{day} is no day: write it as 2026-03-01.") from problem
    with engines_for(load_settings(), existing=True) as settings, reachable():
        if provider is not None and provider not in settings.payments:
            raise Sentence(f"GIFTSERVER_PAYMENTS does not name {provider}.")
        if not settings.payments:
            raise Sentence("Nothing is sold here: GIFTSERVER_PAYMENTS names no provider.")
        reports = asyncio.run(_ask(settings, provider, since, until))
    for report in reports:
        for line in lines(report):
            click.echo(line)
    if not all(report.agrees or (provider is None and not report.lists) for report in reports):
        raise SystemExit(1)


async def _ask(settings: Settings, only: str | None, since: datetime, until: datetime) -> list[Report]:
    async with AsyncExitStack() as stack:
        engines = await stack.enter_async_context(open_engines(settings))
        providers = open_providers(settings)
        for one in providers.values():
            stack.push_async_callback(one.close)
        return [
            await compare(engines.database, one, since, until)
            for name, one in providers.items()
            if only in (None, name)
        ]


def lines(report: Report) -> Iterator[str]:
    """A report as text."""
    if report.problem is not None:
        yield f"{report.provider}: not compared ({report.problem})"
    for balance in report.balances:
        yield from _balance_lines(report, balance)
    if report.problem is None:
        differ = sum(not one.on_its_way for balance in report.balances for one in balance.differences)
        verdict = f"{differ} payments differ." if differ else "both sides agree."
        yield f"{report.provider}: {verdict}"


def _balance_lines(report: Report, balance: Balance) -> Iterator[str]:
    def amount(minor: int) -> str:
        if balance.currency not in EXPONENTS:
            return f"{minor:,} smallest units of {balance.currency}"
        return ("-" if minor < 0 else "") + in_words(abs(minor), balance.currency)

    yield f"clearing:{balance.provider}:{balance.currency}  {amount(balance.clearing_minor)} owed to us by our book"
    if report.problem is not None:
        return
    ours, theirs = amount(balance.ours_minor), amount(balance.theirs_minor)
    yield f"  payments compared: {ours} in our book, {theirs} at the provider"
    explained = {
        "fees": balance.fees_minor, "payouts to the bank": balance.payouts_minor, "other": balance.other_minor,
    }  # fmt: skip
    if any(explained.values()):
        words = ", ".join(f"{name} {amount(minor)}" for name, minor in explained.items() if minor)
        yield f"  at the provider only, and explained: {words}"
    for one in balance.differences:
        way = "; it moved just now" if one.on_its_way else ""
        yield f"  {one.payment}: ours {amount(one.ours_minor)}, theirs {amount(one.theirs_minor)}: {one.what}{way}"

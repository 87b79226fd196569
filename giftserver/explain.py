"""`giftserver explain ACCOUNT`: every coin of one account in words, for whoever answers its owner."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

import click
import msgspec

from giftserver.cli import Sentence, engines_for, load_settings, reachable
from giftserver.durable.explain import Explanation, OnItsWay, explain
from giftserver.durable.payment_story import payment_lines, payment_story
from giftserver.durable.payout_story import payout_lines, payout_story
from giftserver.durable.statement import PLATFORM, AccountName
from giftserver.engines import open_engines
from giftserver.settings import Settings

PAYMENT: Final = "pay_"
PAYOUT: Final = "out_"
"""How the ids of payments and of payouts begin."""

SHOWN_MAX: Final = 20
"""Gifts and credits in flight that are listed; `--json` has all."""


class ExplainAnswer(msgspec.Struct, frozen=True):
    """What `--json` prints: the explanation, what Redis should have, whether all of it agrees."""

    explanation: Explanation
    expected_in_redis: int
    adds_up: bool


@click.command(name="explain")
@click.argument("account")
@click.option(
    "--last", type=click.IntRange(1, 100_000), default=50, show_default=True, help="Entries to show, the newest."
)
@click.option("--json", "as_json", is_flag=True, help="Print it for programs.")
def command(account: str, last: int, as_json: bool) -> None:
    """Show every entry of ACCOUNT with the balance after it, and what is still in flight.

    ACCOUNT is a user's id for the wallet, earnings:CREATOR, payout_held:CREATOR, frozen:USER, owed:USER, platform:KIND
    (coins_sold, promotions, gifts_spent, diamonds_issued, paid_out, owed_to_platform, adjustments),
    platform:revenue:USD, platform:paid_out:USD, platform:charged_back:USD, clearing:PROVIDER:USD,
    disputed:PROVIDER:USD, a payment's id, for who bears what of it, or a payout's, for where it is. Status 1 when
    there is no such account, or when it does not add up.
    """
    if account.startswith((PAYMENT, PAYOUT)):
        explain_money(account)
        return
    name = AccountName.parse(account)
    with engines_for(load_settings(), existing=True) as settings, reachable():
        told = asyncio.run(_ask(settings, name, last))
    if told is None:
        raise Sentence(f"The ledger has no account {name}: {_why_none(name)}")
    if as_json:
        click.echo(msgspec.json.encode(ExplainAnswer(told, told.expected, told.adds_up)).decode())
    else:
        for line in lines(told):
            click.echo(line)
    if not told.adds_up:
        raise SystemExit(1)


def explain_money(id: str) -> None:
    """Print what became of a payment or a payout. Raises Sentence when there is none."""
    with engines_for(load_settings(), existing=True) as settings, reachable():
        told = asyncio.run(_ask_money(settings, id))
    if told is None:
        raise Sentence(f"There is no {'payment' if id.startswith(PAYMENT) else 'payout'} {id}.")
    for line in told:
        click.echo(line)


async def _ask_money(settings: Settings, id: str) -> list[str] | None:
    async with open_engines(settings) as engines:
        if id.startswith(PAYMENT):
            payment = await payment_story(engines.database, id)
            return None if payment is None else list(payment_lines(payment))
        payout = await payout_story(engines.database, id)
        return None if payout is None else list(payout_lines(payout))


async def _ask(settings: Settings, name: AccountName, last: int) -> Explanation | None:
    async with open_engines(settings) as engines:
        return await explain(engines.database, engines.ledger_redis, name, last)


def _why_none(name: AccountName) -> str:
    if name.owner == PLATFORM:
        return "the platform has platform:coins_sold, platform:gifts_spent and others; see `giftserver explain --help`."
    if name.kind == "payout_held":
        return f"{name.owner or 'nobody'} never asked for a payout."
    if name.kind == "earnings":
        return f"no gift that earned diamonds for {name.owner or 'nobody'} has been booked yet."
    return f"{name.owner} was never credited coins (a creator's diamonds are in earnings:{name.owner})."


def lines(told: Explanation) -> Iterator[str]:
    """The explanation as text."""
    yield f"{told.account}, in {told.asset}"
    earlier = told.entries - len(told.lines)
    if earlier > 0:
        yield f"  … {earlier:,} earlier entries: --last shows more"
    for line in told.lines:
        sides = ", ".join(line.other_sides)
        yield (
            f"  {_time(line.at_ms)}  {line.amount:>+14,}  {line.balance:>14,}  {line.kind:<9}  {line.transfer:<12}  "
            f"{line.reference or '-'}  {sides}{'  ' if line.what else ''}{line.what}"
        )
    yield f"  booked: {told.balance:,} after {told.entries:,} entries, which sum to {told.entries_total:,}"
    yield "In flight"
    yield from _in_flight("gifts accepted, not yet booked", told.unflushed)
    if told.account.startswith("wallet:"):
        yield from _in_flight("credits booked, not yet in Redis", told.unapplied)
        has = "does not hold this wallet now; the next use loads it" if told.redis_balance is None else "has"
        yield f"  Redis {has}" + ("" if told.redis_balance is None else f" {told.redis_balance:,}")
    yield verdict(told)


def _in_flight(title: str, found: list[OnItsWay]) -> Iterator[str]:
    yield f"  {title}: {len(found)}, {sum(item.amount for item in found):+,}" if found else f"  {title}: none"
    for item in found[:SHOWN_MAX]:
        yield f"    {item.name:<12}  {item.amount:>+14,}  {item.reference}  {item.what}"
    if len(found) > SHOWN_MAX:
        yield f"    … and {len(found) - SHOWN_MAX:,} more: --json lists all"


def verdict(told: Explanation) -> str:
    """The line that says whether it adds up, with the sum."""
    if told.problem is not None:
        return f"It cannot be added up: the stream of gifts does not fit ({told.problem})."
    says = "It adds up" if told.adds_up else "It does NOT add up"
    if told.redis_balance is None or told.balance != told.entries_total or told.version != told.entries:
        return f"{says}: balance {told.balance:,}, its {told.entries:,} entries sum to {told.entries_total:,}."
    terms = [
        (sum(gift.amount for gift in told.unflushed), "in gifts not yet booked"),
        (told.booked_since, "booked while this was read"),
        (-sum(credit.amount for credit in told.unapplied), "in credits not yet in Redis"),
    ]
    sums = "".join(f" {'-' if coins < 0 else '+'} {abs(coins):,} {words}" for coins, words in terms if coins)
    equals = f"= {told.redis_balance:,}" if told.adds_up else f"= {told.expected:,} ≠ {told.redis_balance:,}"
    return f"{says}: {told.balance:,} booked{sums} {equals} in Redis."


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + "Z"

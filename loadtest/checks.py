"""The questions of the audit. Each answers with how much it checked and with what is wrong, in words."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from giftserver.durable.history import PAGE_MAX, SettledGift, WalletEntry, gift_by_key, wallet_history
from loadtest.accounts import Accounts, Told

AT_ONCE: Final = 8
CLOCKS_MS: Final = 60_000
"""How far the clocks of load generator and ledger may differ."""


@dataclass(slots=True)
class Finding:
    """One question and its answer; `wrong` is empty when all is well."""

    question: str
    checked: int = 0
    wrong: list[str] = field(default_factory=list)
    remark: str = ""


@dataclass(slots=True)
class Ledger:
    """What the durable ledger holds of the run's senders."""

    by_key: dict[tuple[str, str], SettledGift | None]
    lines: dict[str, list[WalletEntry]]


async def read_ledger(engine: AsyncEngine, accounts: Accounts) -> Ledger:
    """Every key of the journal, and the gifts in every sender's statement since the run began."""
    gate = asyncio.Semaphore(AT_ONCE)
    since_ms = (accounts.started_ms or 0) - CLOCKS_MS

    async def by_key(user: str, key: str) -> SettledGift | None:
        async with gate:
            return await gift_by_key(engine, user, key)

    async def statement(user: str) -> list[WalletEntry]:
        async with gate:
            return await read_statement(engine, user, since_ms)

    names, users = list(accounts.keys), sorted(accounts.users)
    found = await asyncio.gather(*(by_key(*name) for name in names))
    statements = await asyncio.gather(*(statement(user) for user in users))
    return Ledger(dict(zip(names, found, strict=True)), dict(zip(users, statements, strict=True)))


async def read_statement(engine: AsyncEngine, user: str, since_ms: int) -> list[WalletEntry]:
    """The gifts that a sender's statement has since a moment."""
    gifts: list[WalletEntry] = []
    before: int | None = None
    while True:
        page = await wallet_history(engine, user, before, PAGE_MAX)
        gifts += [entry for entry in page.entries if entry.kind == "gift" and entry.at_ms >= since_ms]
        if page.next is None or page.entries[-1].at_ms < since_ms:
            return gifts
        before = page.next


async def wait_until_settled(engine: AsyncEngine, accounts: Accounts, deadline_s: float) -> bool:
    """Wait until the ledger has every acknowledged key; False when it has not by the deadline."""
    waiting = [told for told in accounts.keys.values() if told.replies]
    until_s = asyncio.get_running_loop().time() + deadline_s
    while waiting:
        # Newest last: a flusher works in order, so the last key is the one to ask for.
        while waiting and await gift_by_key(engine, waiting[-1].user, waiting[-1].key) is not None:
            waiting.pop()
        if waiting:
            if asyncio.get_running_loop().time() >= until_s:
                return False
            await asyncio.sleep(0.2)
    return True


def check_replies(accounts: Accounts) -> Finding:
    """A key was sent as one gift and had one outcome, and no two keys got the same transfer."""
    finding = Finding("a key had one outcome", len(accounts.keys))
    owners: dict[str, list[str]] = defaultdict(list)
    for told in accounts.keys.values():
        if told.sent != 1:
            finding.wrong.append(f"key {told.key}: stands {told.sent} times in the journal as sent, not once")
        if len(set(told.replies)) > 1:
            transfers = " and ".join(f"{transfer} ({coins} coins)" for transfer, coins in told.replies)
            finding.wrong.append(f"key {told.key}: was acknowledged as {transfers}")
        if told.replies and told.refused:
            finding.wrong.append(f"key {told.key}: was acknowledged and refused ({told.refused[0]})")
        for transfer in {transfer for transfer, _ in told.replies}:
            owners[transfer].append(told.key)
    for transfer, keys in owners.items():
        if len(keys) > 1:
            finding.wrong.append(f"transfer {transfer}: acknowledged for {len(keys)} keys: {', '.join(keys)}")
    return finding


def check_acknowledged(accounts: Accounts, ledger: Ledger) -> Finding:
    """Every acknowledged gift stands in its sender's statement exactly once, under its key, with the right coins."""
    finding = Finding("acknowledged gifts are in the ledger once")
    times, amounts = _lines_of(ledger)
    for told in accounts.keys.values():
        for transfer, coins in sorted(set(told.replies)):
            finding.checked += 1
            finding.wrong += _faults(told, transfer, coins, ledger, times, amounts)
    finding.remark = f"{sum(coins for told in accounts.keys.values() for _, coins in set(told.replies)):,} coins"
    return finding


def _faults(
    told: Told, transfer: str, coins: int, ledger: Ledger, times: Counter[tuple[str, str]],
    amounts: dict[tuple[str, str], int],
) -> Iterable[str]:  # fmt: skip
    settled = ledger.by_key[told.user, told.key]
    name = f"key {told.key} of {told.user}"
    if settled is None:
        yield f"{name}: acknowledged as {transfer}, but the ledger has no gift under this key"
    elif settled.transfer != transfer:
        yield f"{name}: acknowledged as {transfer}, the ledger has it as {settled.transfer}"
    elif settled.coins != coins:
        yield f"{name}: acknowledged with {coins} coins, the ledger took {settled.coins}"
    if coins != told.coins and told.coins is not None:
        yield f"{name}: {told.coins} coins were sent, {coins} acknowledged"
    count = times[told.user, transfer]
    if count != 1:
        yield f"{name}: transfer {transfer} stands {count} times in the sender's statement"
    elif -amounts[told.user, transfer] != coins:
        yield f"{name}: the statement takes {-amounts[told.user, transfer]} coins for {transfer}, not {coins}"


def check_others(accounts: Accounts, ledger: Ledger) -> tuple[Finding, Finding]:
    """Keys without an acknowledgement: unknown outcomes are resolved by the ledger, refusals charged nothing."""
    unknown = Finding("gifts without an answer are resolved")
    refused = Finding("refused gifts charged nothing")
    charged = 0
    for name, told in accounts.keys.items():
        settled = ledger.by_key[name]
        if told.open:
            unknown.checked += 1
            charged += settled is not None
            if settled is not None and told.coins is not None and settled.coins != told.coins:
                unknown.wrong.append(f"key {told.key}: {told.coins} coins were sent, the ledger took {settled.coins}")
        elif told.refused:
            refused.checked += 1
            if settled is not None:
                refused.wrong.append(f"key {told.key}: refused ({told.refused[0]}), yet charged as {settled.transfer}")
    if unknown.checked:
        unknown.remark = f"{charged} were charged, {unknown.checked - charged} were not"
    return unknown, refused


def check_nothing_else(accounts: Accounts, ledger: Ledger) -> Finding:
    """The senders' statements hold no gift that nobody of this run sent."""
    finding = Finding("the ledger holds no gift nobody sent")
    known = {settled.transfer for settled in ledger.by_key.values() if settled is not None}
    for user, entries in ledger.lines.items():
        for entry in entries:
            finding.checked += 1
            if entry.transfer not in known:
                finding.wrong.append(f"{user}: transfer {entry.transfer} took {-entry.amount_coins} coins for no key")
    return finding


def check_viewers(accounts: Accounts) -> Finding:
    """Each viewer's sum is what the room's history says for the offsets it watched."""
    finding = Finding("viewers' sums are the room's history", len(accounts.spans))
    for span in accounts.spans:
        shown = accounts.shown(span)
        if shown != span.coins:
            finding.wrong.append(
                f"{span.viewer}: was shown {span.coins} coins in offsets {span.after + 1} to {span.until}, "
                f"the history has {shown}"
            )
    finding.remark = f"{len(accounts.history):,} gifts in the history"
    return finding


def _lines_of(ledger: Ledger) -> tuple[Counter[tuple[str, str]], dict[tuple[str, str], int]]:
    times: Counter[tuple[str, str]] = Counter()
    amounts: dict[tuple[str, str], int] = {}
    for user, entries in ledger.lines.items():
        for entry in entries:
            times[user, entry.transfer] += 1
            amounts[user, entry.transfer] = entry.amount_coins
    return times, amounts

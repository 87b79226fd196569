"""The audit log's chain, recomputed: a row that was changed, taken away, exchanged or put in is found."""

from typing import Final

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from giftserver.durable.audit_log import logged, next_hash
from giftserver.durable.case_tables import audit_log
from giftserver.durable.proof.invariant import Invariant

PAGE: Final = 1_000
"""Rows in memory at a time."""

HEAD: Final = text("SELECT last, hash FROM audit_head")


async def acts_are_chained(connection: AsyncConnection, invariant: Invariant) -> None:
    """Rows are numbered 1, 2, …; each one's hash follows from it and the one before; the head has the last one's."""
    number, previous = 0, b""
    while True:
        page = select(audit_log).where(audit_log.c.id > number).order_by(audit_log.c.id).limit(PAGE)
        acts = [logged(row) for row in await connection.execute(page)]
        for act in acts:
            if act.id != number + 1:
                invariant.found(f"act {act.id} comes after {number}")
            if act.hash != next_hash(previous, act.id, act.at, act.act):
                invariant.found(f"act {act.id}: its hash does not follow from it and the act before it")
            number, previous = act.id, act.hash  # the stored one, so that each break is told once
        invariant.checked += len(acts)
        if len(acts) < PAGE:
            break
    invariant.checked += 1
    head = (await connection.execute(HEAD)).one_or_none()
    if head is None or (head.last, head.hash) != (number, previous):
        invariant.found(f"the head is act {head.last if head else 'none'}, the last act is {number}")


async def audit_head_of(connection: AsyncConnection) -> tuple[int, str]:
    """Number of the last act and its hash in hex: who keeps these elsewhere can tell whether the log was rewritten."""
    head = (await connection.execute(HEAD)).one()
    return head.last, head.hash.hex()

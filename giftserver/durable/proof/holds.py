"""Holds in Redis against those of PostgreSQL: who is on hold there is on hold here, by the number of the newest state.

Numbers only grow, and Redis takes them after PostgreSQL has them. What PostgreSQL knew to be in Redis is read before
Redis, and which states there are is read after it: so a hold that comes or goes meanwhile is no difference.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from giftserver.durable.claim_tables import wallet_state


@dataclass(frozen=True, slots=True)
class WalletState:
    """What Redis has of a wallet: the number of its state, and whether it is on hold."""

    number: int
    held: bool


async def brought_states(engine: AsyncEngine, users: list[str]) -> dict[str, int]:
    """Numbers that Redis has taken already."""
    query = select(wallet_state.c.user_id, wallet_state.c.applied_number).where(wallet_state.c.user_id.in_(users))
    async with engine.connect() as connection:
        return {row.user_id: row.applied_number for row in await connection.execute(query)}


async def unlike_states(
    connection: AsyncConnection, states: Mapping[str, WalletState], brought: Mapping[str, int]
) -> list[str]:
    """What is wrong with these wallets' states, as Redis had them after `brought` was read and before now."""
    query = select(wallet_state).where(wallet_state.c.user_id.in_(list(states)))
    known = {row.user_id: row for row in await connection.execute(query)}
    wrong = []
    for user, state in states.items():
        newest = known[user].number if user in known else 0
        if not brought.get(user, 0) <= state.number <= newest:
            wrong.append(
                f"wallet of {user}: its state in Redis has number {state.number}, PostgreSQL brought "
                f"{brought.get(user, 0)} and is at {newest}"
            )
        elif state.number == newest and state.held != (known[user].held if user in known else False):
            here, there = ("on hold" if held else "free" for held in (state.held, not state.held))
            wrong.append(f"wallet of {user}: {here} in Redis, {there} in PostgreSQL, both with number {newest}")
    return wrong

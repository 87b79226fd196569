"""How much is measured: the full run, the quick one, and the smallest that still goes through everything."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Size:
    """Counts of one run. Gifts are those of one case in one round."""

    rounds: int
    gifts: int
    single_gifts: int
    """Where each gift waits alone for its answer."""
    sql_gifts: int
    """One PostgreSQL transaction each."""
    senders: int
    """Who send at the same time where both designs are compared."""
    pools: tuple[int, ...]
    """Pool sizes that the SQL-only design may choose from."""
    backlog: int
    """Gifts waiting in the streams before a flush is timed."""
    flush_batches: tuple[int, ...]
    wallets: tuple[int, ...]
    """Sizes the ledger grows to."""
    shards: tuple[int, ...]
    kept_wallets: int
    kept_gifts: int
    """What memory is measured with."""


FULL: Final = Size(
    rounds=5,
    gifts=32_000,
    single_gifts=6_000,
    sql_gifts=6_000,
    senders=1_024,
    pools=(1, 2, 4, 8, 16, 32),
    backlog=100_000,
    flush_batches=(250, 1_000, 2_500),
    wallets=(1_000, 10_000, 100_000, 1_000_000),
    shards=(1, 2, 4, 8, 16),
    kept_wallets=100_000,
    kept_gifts=50_000,
)

QUICK: Final = Size(
    rounds=5,
    gifts=6_400,
    single_gifts=1_200,
    sql_gifts=1_500,
    senders=256,
    pools=(4, 16, 48),
    backlog=5_000,
    flush_batches=(250, 1_000, 2_500),
    wallets=(1_000, 10_000, 100_000),
    shards=(1, 4, 16),
    kept_wallets=50_000,
    kept_gifts=20_000,
)

TINY: Final = Size(
    rounds=1,
    gifts=256,
    single_gifts=32,
    sql_gifts=64,
    senders=16,
    pools=(2,),
    backlog=64,
    flush_batches=(50,),
    wallets=(100, 1_000),
    shards=(1, 2),
    kept_wallets=1_000,
    kept_gifts=1_000,
)

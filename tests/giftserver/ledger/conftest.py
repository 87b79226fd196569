"""A ledger in which somebody has coins."""

from collections.abc import AsyncIterator

import pytest

from giftserver.durable.credits import credit
from giftserver.durable.wallets import DurableWallets
from giftserver.engines import Engines
from giftserver.ledger.ledger import Ledger
from tests.quick_opening import open_new_ledger


@pytest.fixture
async def ledger(engines: Engines) -> AsyncIterator[Ledger]:
    """A ledger with open shards; ana has 100 coins."""
    await open_new_ledger(engines.database, engines.ledger_redis)
    await credit(engines.database, "ana", 100, "top_up", "test:ana")
    opened = Ledger(engines.ledger_redis, DurableWallets(engines.database), backlog_max=1_000, timeout_s=2.0)
    yield opened
    await opened.close()

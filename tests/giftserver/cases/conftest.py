"""A shop where ana bought 770 coins and mira is live, and who reports and decides there."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from giftserver.settings import Settings
from tests.giftserver.cases.desk import Desk
from tests.giftserver.conftest import add_rooms
from tests.giftserver.shop import open_shop


@pytest.fixture
async def desk(settings: Settings, static_dir: Path) -> AsyncIterator[Desk]:
    """The operators' desk of a shop; `desk.payment` is what ana paid."""
    async with open_shop(settings.model_copy(update={"static_dir": static_dir}), retry_scale=0.1) as shop:
        await add_rooms(shop.web.engines)
        payment: dict[str, Any] = await shop.paid()
        await shop.until_state(payment["id"], "credited")
        assert await shop.coins() == 770
        yield Desk(shop, payment)

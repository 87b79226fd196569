"""A giftserver that sells coins through the sandbox."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from giftserver.settings import Settings
from tests.giftserver.conftest import add_rooms
from tests.giftserver.shop import Shop, open_shop


@pytest.fixture
async def shop(settings: Settings, static_dir: Path) -> AsyncIterator[Shop]:
    """A shop of this test alone."""
    async with open_shop(settings.model_copy(update={"static_dir": static_dir}), retry_scale=0.1) as opened:
        yield opened


@pytest.fixture
async def bought(shop: Shop) -> tuple[Shop, dict[str, Any]]:
    """A shop where ana bought 770 coins, and rooms to send gifts to."""
    await add_rooms(shop.web.engines)
    payment = await shop.paid()
    await shop.until_state(payment["id"], "credited")
    assert await shop.coins() == 770
    return shop, payment

"""A shop where mira has 30,000 diamonds that can be paid out, and an account to be paid out to."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from giftserver.durable import earnings
from giftserver.settings import Settings
from tests.giftserver.conftest import add_rooms
from tests.giftserver.payouts.office import Office
from tests.giftserver.shop import open_shop


@pytest.fixture
async def empty_office(settings: Settings, static_dir: Path) -> AsyncIterator[Office]:
    """Nobody has earned anything, or has an account."""
    changes = {"static_dir": static_dir, "limit_day_coins": 10_000_000}
    async with open_shop(settings.model_copy(update=changes), retry_scale=0.1) as shop:
        await add_rooms(shop.web.engines)
        yield Office(shop)


@pytest.fixture
async def office(empty_office: Office, monkeypatch: pytest.MonkeyPatch) -> Office:
    """Diamonds are available at once, so that mira's are."""
    monkeypatch.setattr(earnings, "PENDING_DAYS", 0)
    await empty_office.earn(30_000)
    assert (await empty_office.set_account()).status_code == 200
    return empty_office

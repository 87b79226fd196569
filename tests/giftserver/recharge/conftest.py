"""A giftserver that sells coins through the sandbox."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from giftserver.settings import Settings
from tests.giftserver.shop import Shop, open_shop


@pytest.fixture
async def shop(settings: Settings, static_dir: Path) -> AsyncIterator[Shop]:
    """A shop of this test alone."""
    async with open_shop(settings.model_copy(update={"static_dir": static_dir}), retry_scale=0.1) as opened:
        yield opened

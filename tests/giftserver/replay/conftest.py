"""A demo for the whole session: replays need every part of the server."""

from collections.abc import Iterator

import pytest

from tests.demo_server import DemoServer, running_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoServer]:
    """A running demo with its bots."""
    with running_demo(tmp_path_factory.mktemp("replay") / "demo") as demo:
        yield demo

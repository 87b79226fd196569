"""The bots make every room look alive, and survive what happens to the server."""

import asyncio
import contextlib
import random

import pytest

from giftserver.demo.bots import give_for_ever
from giftserver.demo.people import EXAMPLES, REGULARS, ROOMS
from giftserver.embedded.engine import free_port
from tests.demo_server import DemoServer, wait_until


@pytest.fixture
def demo(live_demo: DemoServer) -> DemoServer:
    """A demo with its bots."""
    return live_demo


def givers(demo: DemoServer, room: str) -> set[str]:
    """Who has given in a room."""
    return {row["id"] for row in demo.ask("GET", f"/v1/rooms/{room}/top")["items"]}


def test_every_room_is_alive(demo: DemoServer) -> None:
    """Within seconds several regulars give in every room, they watch it, and no visitor's coins are spent.

    What happened before is told meanwhile: one gift of it is in a room.
    """
    for room in ROOMS:
        wait_until(lambda room=room: len(givers(demo, room.id)) >= 3, 60.0)  # type: ignore[misc]
        assert givers(demo, room.id) <= {*REGULARS, *EXAMPLES}
    viewers = wait_until(lambda: {r["viewers"] for r in demo.ask("GET", "/v1/rooms")["rooms"]} == {len(REGULARS)}, 60.0)
    assert viewers
    wait_until(lambda: "stories_told" in (demo.folder / "bots.log").read_text(), 60.0)
    assert "story_left" not in (demo.folder / "bots.log").read_text()


def test_bots_go_on_after_a_crash_of_the_web(demo: DemoServer) -> None:
    """The bots are the same process afterwards, and gifts come again."""
    bots = demo.child("bots")
    demo.kill("web")
    wait_until(demo.ready, 60.0)
    before = len(demo.ask("GET", "/v1/rooms/harbour/gifts?limit=1000")["gifts"])
    wait_until(lambda: len(demo.ask("GET", "/v1/rooms/harbour/gifts?limit=1000")["gifts"]) > before + 5, 90.0)
    assert demo.child("bots") == bots


async def test_bots_wait_for_a_server_that_is_away() -> None:
    """No server is no reason to end."""
    task = asyncio.create_task(give_for_ever(f"http://127.0.0.1:{free_port()}", random.Random(1)))
    done, _ = await asyncio.wait([task], timeout=1.5)
    assert not done
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()

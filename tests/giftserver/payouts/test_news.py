"""What a provider's event makes of the waits between looks at a payout."""

from giftserver.durable import payout_moves
from tests.giftserver.payouts.office import Office


async def test_after_an_event_the_waits_begin_anew(office: Office) -> None:
    """The provider may tell of it a moment before it answers so: it is asked again within seconds, not an hour."""
    id = await office.sent()
    await office.sql("UPDATE payout SET tries = 6")
    await office.work()
    (row,) = await office.sql("SELECT extract(epoch FROM ask_at - now()) AS wait_s FROM payout")
    assert row.wait_s > 3_000
    assert await payout_moves.hurry(office.shop.web.engines.database, id, "sandbox")
    await office.keeper.step()
    (row,) = await office.sql("SELECT extract(epoch FROM ask_at - now()) AS wait_s FROM payout")
    assert row.wait_s < 5

"""The snapshot a wallet is loaded from."""

from giftserver.durable.credits import credit
from giftserver.durable.store import WalletSnapshot, WalletState, flush_cursors, settled_coins, wallet_snapshot
from giftserver.ledger import keys

SHARD = keys.shard_of("ana")


async def test_a_user_never_seen(book):
    """Someone without an account has no coins and no credits, at the shard's cursor."""
    assert await wallet_snapshot(book.engine, ["ana"], SHARD) == WalletSnapshot((0, 0), {"ana": WalletState(0, 0)})
    assert await wallet_snapshot(book.engine, [], SHARD) == WalletSnapshot((0, 0), {})


async def test_coins_credits_and_cursor_of_one_instant(book):
    """All credits and all gifts up to the cursor are in the coins; gifts still in the stream are not."""
    await book.fund("ana", 100)
    await credit(book.engine, "ana", 50, "grant", "second")
    await book.gift("ana", coins=10)
    await book.flush()
    await book.gift("ana", coins=10)
    snapshot = await wallet_snapshot(book.engine, ["ana", "nobody"], SHARD)
    assert snapshot == WalletSnapshot((1, 1), {"ana": WalletState(140, 2), "nobody": WalletState(0, 0)})
    assert await settled_coins(book.engine, "ana") == 140
    assert (await flush_cursors(book.engine))[SHARD] == (1, 1)
    assert len(await flush_cursors(book.engine)) == keys.SHARDS

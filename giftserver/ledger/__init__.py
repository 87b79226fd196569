"""The live ledger in Redis: one atomic script decides a gift, one event stream a shard carries it away."""

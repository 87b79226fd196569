#!lua flags=allow-oom
-- Moves a shard's mark (flushed, announced) forward, never back and never past seq.
--
-- KEYS: 1 meta
-- ARGV: 1 field (flushed | announced), 2 seq
-- Returns the mark as it is now

local meta = redis.call('HMGET', KEYS[1], ARGV[1], 'seq')
local mark, target = tonumber(meta[1] or '0'), tonumber(ARGV[2])
if not meta[2] or target <= mark or target > tonumber(meta[2]) then return meta[1] end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return ARGV[2]

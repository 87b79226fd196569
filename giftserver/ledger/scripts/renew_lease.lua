#!lua flags=allow-oom
-- Lets a shard take gifts for a while longer, and notes whether its Redis has memory to spare.
--
-- KEYS: 1 meta
-- ARGV: 1 epoch it was opened with, 2 run it was approved for, 3 end of the lease in ms of
--       this server's clock (0: none), 4 full ('1': no more gifts for now)
-- Returns 1, or 0 when the shard is not open under this epoch and run, or its lease ends later than any can: then this
--       server's clock went back
--
-- The end was reckoned before this was sent: carried out late, by a server that was frozen, it lengthens nothing.

local LEASE_AHEAD_MAX_MS = 65000
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'run', 'lease_ms')
if meta[1] ~= ARGV[1] or meta[2] ~= 'open' or meta[3] ~= ARGV[2] then return 0 end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if tonumber(meta[4]) > now_ms + LEASE_AHEAD_MAX_MS then return 0 end
redis.call('HSET', KEYS[1], 'lease_ms', ARGV[3], 'full', ARGV[4])
return 1

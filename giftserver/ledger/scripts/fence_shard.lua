#!lua flags=allow-oom
-- Stops a shard: no gift is taken and no wallet is loaded until it is opened again.
--
-- KEYS: 1 meta
-- ARGV: 1 state (fenced | replaying)
-- Returns 1, or 0 when this Redis does not know the shard, which is then closed anyway
--
-- A lease that ends later than any can was given before this server's clock went back: keys up to there, and as far
-- ahead as keys may be, must be looked up from now on, for their receipts may have expired.

local LEASE_AHEAD_MAX_MS = 65000
local KEY_AHEAD_MAX_MS = 60000
local meta = redis.call('HMGET', KEYS[1], 'lease_ms', 'keys_from')
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local lease_ms, keys_from = tonumber(meta[1] or '0'), tonumber(meta[2] or '0')
if lease_ms > now_ms + LEASE_AHEAD_MAX_MS then
  redis.call('HSET', KEYS[1], 'keys_from', string.format('%.0f', math.max(keys_from, lease_ms + KEY_AHEAD_MAX_MS)))
end
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'lease_ms', '1')
return 1

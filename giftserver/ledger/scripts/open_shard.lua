#!lua flags=allow-oom
-- Opens a shard that was judged, as the last write of its recovery.
--
-- KEYS: 1 meta
-- ARGV: 1 schema, 2 run, 3 epoch, 4 seq it was judged at ('' for absent), 5 seq to go on from, 6 flushed, 7 end of
--       the lease in ms of this server's clock, reckoned before this was sent (0: none), 8 '1' when receipts are gone:
--       keys up to now (and as far ahead as keys may be) must be looked up
-- Returns 1, or 0 when the shard is not any more what was judged

local meta = redis.call('HMGET', KEYS[1], 'seq', 'state', 'announced', 'keys_from')
if (meta[1] or '') ~= ARGV[4] or meta[2] == 'open' then return 0 end
local KEY_AHEAD_MAX_MS = 60000
local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local keys_from = tonumber(meta[4] or '0')
if ARGV[8] == '1' then keys_from = math.max(keys_from, now_ms + KEY_AHEAD_MAX_MS) end
local announced = meta[3] or ARGV[6]
if tonumber(announced) > tonumber(ARGV[5]) then announced = ARGV[5] end
redis.call('HSET', KEYS[1], 'epoch', ARGV[3], 'state', 'open', 'seq', ARGV[5], 'flushed', ARGV[6],
  'announced', announced, 'lease_ms', ARGV[7], 'run', ARGV[2], 'schema', ARGV[1], 'full', '0', 'keys_from',
  string.format('%.0f', keys_from))
return 1

#!lua flags=allow-oom
-- Lets a shard take gifts for a while longer, and says whether its Redis has memory to spare.
--
-- KEYS: 1 meta
-- ARGV: 1 epoch it was opened with, 2 run it was approved for, 3 lease_ms (0: no end), 4 full ('1': no more gifts for now)
-- Returns 1, or 0 when the shard is not open under this epoch and run

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'run', 'full')
if meta[1] ~= ARGV[1] or meta[2] ~= 'open' or meta[3] ~= ARGV[2] then return 0 end
local lease_ms = '0'
if tonumber(ARGV[3]) > 0 then
  local time = redis.call('TIME')
  lease_ms = string.format('%.0f', tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[3]))
end
redis.call('HSET', KEYS[1], 'lease_ms', lease_ms, 'full', ARGV[4])
return 1

-- Shares how many watch a room from one process and sums what all processes shared lately.
--
-- KEYS: 1 presence hash (process → "count:at_ms")
-- ARGV: 1 process, 2 count, 3 fresh_ms
-- Returns the sum

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
if ARGV[2] == '0' then
  redis.call('HDEL', KEYS[1], ARGV[1])
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ':' .. string.format('%.0f', now_ms))
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
end
local total = 0
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local count, at_ms = string.match(fields[i + 1], '^(%d+):(%d+)$')
  if count and now_ms - tonumber(at_ms) <= tonumber(ARGV[3]) then
    total = total + tonumber(count)
  else
    redis.call('HDEL', KEYS[1], fields[i])
  end
end
return total

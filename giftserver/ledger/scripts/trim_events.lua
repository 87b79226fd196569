-- Trims a shard's stream to the events of the last keep_ms, never one that is not both flushed and announced.
-- Redis frees whole nodes of the stream only, so a little more than asked for stays.
--
-- KEYS: 1 meta, 2 events
-- ARGV: 1 keep_ms
-- Returns the number of events removed

local function at_ms(entry)
  for field = 1, #entry[2], 2 do
    if entry[2][field] == 't' then return tonumber(entry[2][field + 1]) end
  end
  return nil
end

local function first_from(id)
  return redis.call('XRANGE', KEYS[2], id, '+', 'COUNT', 1)[1]
end

local meta = redis.call('HMGET', KEYS[1], 'flushed', 'announced')
local time = redis.call('TIME')
local before_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) - tonumber(ARGV[1])
local limit = math.min(tonumber(meta[1] or '0'), tonumber(meta[2] or '0'))

local oldest = first_from('-')
if not oldest then return 0 end
local epoch, low = oldest[1]:match('^(%d+)%-(%d+)$')
low = tonumber(low)
if low > limit then return 0 end

-- The least seq of the oldest event's epoch, from low to limit + 1, whose event is young enough to stay.
local high = limit + 1
while low < high do
  local middle = math.floor((low + high) / 2)
  local entry = first_from(epoch .. '-' .. string.format('%.0f', middle))
  local at = entry and at_ms(entry)
  if at and at < before_ms then low = middle + 1 else high = middle end
end
return redis.call('XTRIM', KEYS[2], 'MINID', '~', epoch .. '-' .. string.format('%.0f', low))

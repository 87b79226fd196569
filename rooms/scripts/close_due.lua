-- Ends the combos of a room that are due. Taking them out and telling is one step, so exactly one caller ends each.
--
-- KEYS: 1 room meta, 2 history stream, 3 combos hash, 4 due zset, 5 channel
-- ARGV: 1 history_events, 2 combos_max
-- Keeps and publishes them as append.lua does events.
-- Returns {number ended, ms until the next one is due, or -1 without one}

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
local due = redis.call('ZRANGE', KEYS[4], '-inf', string.format('%.0f', now_ms), 'BYSCORE', 'LIMIT', 0, tonumber(ARGV[2]))
local records = {}

if meta[1] and #due > 0 then
  local offset = tonumber(meta[2] or '0')
  for _, combo_key in ipairs(due) do
    local stored = redis.call('HGET', KEYS[3], combo_key)
    if stored then
      local state = cmsgpack.unpack(stored)
      offset = offset + 1
      records[#records + 1] = {offset, 'c', now_ms, state[1], state[2], state[3], state[5]}
    end
    redis.call('HDEL', KEYS[3], combo_key)
    redis.call('ZREM', KEYS[4], combo_key)
  end
  if #records > 0 then
    local packed, last = cmsgpack.pack(records), string.format('%.0f', offset)
    local first = string.format('%.0f', math.max(0, offset - tonumber(ARGV[1])))
    redis.call('XADD', KEYS[2], 'MINID', '~', first, last .. '-0', 'b', packed)
    redis.call('HSET', KEYS[1], 'offset', last)
    redis.call('SPUBLISH', KEYS[5], '\146' .. cmsgpack.pack(meta[1]) .. packed)
  end
end
local following = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
return {#records, following[2] and math.max(0, tonumber(following[2]) - now_ms) or -1}

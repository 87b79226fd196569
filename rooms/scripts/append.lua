-- Appends events to a room: numbers them, extends their combos, keeps them for resuming, publishes them. An event
-- whose id was seen before is left out, so appending is idempotent.
--
-- KEYS: 1 room meta, 2 history stream, 3 combos hash, 4 due zset, 5 seen zset, 6 scores zset, 7 names hash, 8 channel
-- ARGV: 1 epoch for a new room, 2 combo_window_ms, 3 history_events, 4 ttl_ms, 5 seen_ms,
--       then for each event seven: id, combo key ('' for none), quantity, score, person id, person name, body
-- Returns {epoch, offset of the last event, number appended}
-- History entry `<offset>-0`, field r: msgpack {offset, kind, at_ms, combo, combo_quantity, combo_score, body}; the
-- channel carries msgpack {epoch, {record, …}} with the same records.

local FIELDS = 7

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local window_ms = tonumber(ARGV[2])

redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1])
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
local epoch, offset = meta[1], tonumber(meta[2] or '0')
local records = {}

local function add(kind, combo, quantity, score, body)
  offset = offset + 1
  local record = {offset, kind, now_ms, combo, quantity, score, body}
  redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], string.format('%.0f-0', offset), 'r', cmsgpack.pack(record))
  records[#records + 1] = record
end

local function extend(combo_key, quantity, score, body)
  local state
  local stored = redis.call('HGET', KEYS[3], combo_key)
  if stored then
    state = cmsgpack.unpack(stored)
    if state[4] <= now_ms then
      add('c', state[1], state[2], state[3], state[5])
      state = nil
    end
  end
  if not state then state = {epoch .. '-' .. string.format('%.0f', offset + 1), 0, 0, 0, body} end
  state[2], state[3], state[4] = state[2] + quantity, state[3] + score, now_ms + window_ms
  redis.call('HSET', KEYS[3], combo_key, cmsgpack.pack(state))
  redis.call('ZADD', KEYS[4], string.format('%.0f', state[4]), combo_key)
  return state
end

local appended = 0
for a = 6, #ARGV, FIELDS do
  local id, combo_key, quantity, score = ARGV[a], ARGV[a + 1], tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  local person, name, body = ARGV[a + 4], ARGV[a + 5], ARGV[a + 6]
  if redis.call('ZADD', KEYS[5], 'NX', string.format('%.0f', now_ms), id) == 1 then
    if combo_key ~= '' then
      local state = extend(combo_key, quantity, score, body)
      add('e', state[1], state[2], state[3], body)
    else
      add('e', '', quantity, score, body)
    end
    redis.call('ZINCRBY', KEYS[6], ARGV[a + 3], person)
    redis.call('HSET', KEYS[7], person, name)
    redis.call('HINCRBY', KEYS[1], 'score', ARGV[a + 3])
    appended = appended + 1
  end
end

if appended > 0 then
  redis.call('HSET', KEYS[1], 'offset', string.format('%.0f', offset))
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', string.format('%.0f', now_ms - tonumber(ARGV[5])))
  for k = 1, 7 do redis.call('PEXPIRE', KEYS[k], ARGV[4]) end
  redis.call('SPUBLISH', KEYS[8], cmsgpack.pack({epoch, records}))
end
return {epoch, string.format('%.0f', offset), appended}

-- Appends events to a room: numbers them, extends their combos, keeps them for resuming, publishes them. An event
-- whose id was seen before is left out, so appending is idempotent. What many events share is read and written once.
--
-- KEYS: 1 room meta, 2 history stream, 3 combos hash, 4 due zset, 5 seen zset, 6 scores zset, 7 names hash, 8 channel
-- ARGV: 1 epoch for a new room, 2 combo_window_ms, 3 history_events, 4 ttl_ms, 5 seen_ms,
--       then for each event seven: id, combo key ('' for none), quantity, score, person id, person name, body
-- Returns {epoch, offset of the last event, number appended}
-- History entry `<offset of its last event>-0`, field b: msgpack {record, …}, a record being
-- {offset, kind, at_ms, combo, combo_quantity, combo_score, body}; the channel carries msgpack {epoch, {record, …}}.

local FIELDS, REFRESH_MS = 7, 60000

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local window_ms, ttl_ms = tonumber(ARGV[2]), tonumber(ARGV[4])

local function text(number) return string.format('%.0f', number) end

local ids = {}
for a = 6, #ARGV, FIELDS do ids[#ids + 1] = ARGV[a] end
local seen = redis.call('ZMSCORE', KEYS[5], unpack(ids))
local fresh, fresh_ids, combo_keys, known = {}, {}, {}, {}
for i, id in ipairs(ids) do
  if not seen[i] and not known[id] then
    local at = 6 + (i - 1) * FIELDS
    local combo_key = ARGV[at + 1]
    known[id] = true
    fresh[#fresh + 1] = at
    fresh_ids[#fresh_ids + 1], fresh_ids[#fresh_ids + 2] = text(now_ms), id
    if combo_key ~= '' and not combo_keys[combo_key] then
      combo_keys[combo_key] = true
      combo_keys[#combo_keys + 1] = combo_key
    end
  end
end

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'expires_ms')
local epoch, offset, expires_ms = meta[1] or ARGV[1], tonumber(meta[2] or '0'), tonumber(meta[3] or '0')
if not meta[1] then redis.call('HSET', KEYS[1], 'epoch', epoch) end
if #fresh == 0 then return {epoch, text(offset), 0} end

local combos = {}
if #combo_keys > 0 then
  for i, stored in ipairs(redis.call('HMGET', KEYS[3], unpack(combo_keys))) do
    combos[combo_keys[i]] = stored and cmsgpack.unpack(stored)
  end
end

local records, scores, persons, names, total = {}, {}, {}, {}, 0

local function add(kind, combo, quantity, score, body)
  offset = offset + 1
  records[#records + 1] = {offset, kind, now_ms, combo, quantity, score, body}
end

local function extend(combo_key, quantity, score, body)
  local state = combos[combo_key]
  if state and state[4] <= now_ms then
    add('c', state[1], state[2], state[3], state[5])
    state = nil
  end
  state = state or {epoch .. '-' .. text(offset + 1), 0, 0, 0, body}
  state[2], state[3], state[4] = state[2] + quantity, state[3] + score, now_ms + window_ms
  combos[combo_key] = state
  add('e', state[1], state[2], state[3], body)
end

for _, at in ipairs(fresh) do
  local combo_key, quantity, score = ARGV[at + 1], tonumber(ARGV[at + 2]), tonumber(ARGV[at + 3])
  local person, body = ARGV[at + 4], ARGV[at + 6]
  if combo_key ~= '' then extend(combo_key, quantity, score, body) else add('e', '', quantity, score, body) end
  if not scores[person] then persons[#persons + 1] = person end
  scores[person], total = (scores[person] or 0) + score, total + score
  names[#names + 1], names[#names + 2] = person, ARGV[at + 5]
end

local packed, last = cmsgpack.pack(records), text(offset)
redis.call('XADD', KEYS[2], 'MINID', '~', text(math.max(0, offset - tonumber(ARGV[3]))), last .. '-0', 'b', packed)
redis.call('ZADD', KEYS[5], unpack(fresh_ids))
redis.call('HSET', KEYS[1], 'offset', last)
redis.call('HINCRBY', KEYS[1], 'score', text(total))
redis.call('HSET', KEYS[7], unpack(names))
for _, person in ipairs(persons) do redis.call('ZINCRBY', KEYS[6], text(scores[person]), person) end

-- The keys of a room end together, so their ends are moved together, now and then. Those of combos come and go.
local moved = expires_ms < now_ms + ttl_ms - math.min(REFRESH_MS, ttl_ms / 10)
if moved then
  expires_ms = now_ms + ttl_ms
  redis.call('HSET', KEYS[1], 'expires_ms', text(expires_ms))
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', text(now_ms - tonumber(ARGV[5])))
  for k = 1, 7 do redis.call('PEXPIREAT', KEYS[k], text(expires_ms)) end
end
if #combo_keys > 0 then
  local states, due = {}, {}
  for i, combo_key in ipairs(combo_keys) do
    states[2 * i - 1], states[2 * i] = combo_key, cmsgpack.pack(combos[combo_key])
    due[2 * i - 1], due[2 * i] = text(combos[combo_key][4]), combo_key
  end
  redis.call('HSET', KEYS[3], unpack(states))
  redis.call('ZADD', KEYS[4], unpack(due))
  for k = 3, 4 do redis.call('PEXPIREAT', KEYS[k], text(expires_ms)) end
end
redis.call('SPUBLISH', KEYS[8], '\146' .. cmsgpack.pack(epoch) .. packed)
return {epoch, last, #fresh}

-- Installs wallets that are not there, from a PostgreSQL snapshot taken at the shard's flush cursor.
-- Debits that the snapshot does not know are still in the stream after the cursor: they are subtracted here,
-- so the balances are exact whatever happened between the snapshot and this call.
--
-- KEYS: 1 meta, 2 events, then a wallet each
-- ARGV: 1 epoch, 2 schema, 3 cursor_epoch, 4 cursor_seq, 5 scan_max,
--       then for each wallet ten: user, coins, credit_no, state ('active' or 'held'), number of the state, number
--       of the limits, limits (msgpack, see send_gifts.lua), time zones, then of the day and of the month around now in
--       those zones first and last second and coins sent, as msgpack, and the coins sent in the session of the limits
-- Returns {state, detail}: OK, WAIT (gifts not flushed), BEHIND, FENCED, SCHEMA, STALE_EPOCH; after OK one array a wallet:
--       {'OK' | 'PRESENT' | 'NEGATIVE', coins} or {'WINDOW', now in seconds: a day or month given is not around it}

local FIELDS = 10
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'seq', 'schema', 'run')
if not meta[1] or meta[2] ~= 'open' then return {{'FENCED', meta[2] or 'absent'}} end
if meta[5] ~= RUN then return {{'FENCED', 'run'}} end
if meta[4] ~= ARGV[2] then return {{'SCHEMA', meta[4] or ''}} end
if meta[1] ~= ARGV[1] then return {{'STALE_EPOCH', meta[1]}} end

local function text_of(number) return string.format('%.0f', number) end

local seq, cursor = tonumber(meta[3]), tonumber(ARGV[4])
if cursor > seq then return {{'BEHIND', meta[3]}} end
if seq - cursor > tonumber(ARGV[5]) then return {{'WAIT', text_of(seq - cursor)}} end

local now_s = tonumber(redis.call('TIME')[1])
local spent, last, next_seq = {}, {}, cursor
local later = {}
for k = 3, #KEYS do later[ARGV[6 + (k - 3) * FIELDS]] = {} end
if seq > cursor then
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], '(' .. ARGV[3] .. '-' .. ARGV[4], '+')) do
    next_seq = next_seq + 1
    if entry[1]:match('%-(%d+)$') ~= text_of(next_seq) then return {{'WAIT', entry[1]}} end
    local fields = {}
    for field = 1, #entry[2], 2 do fields[entry[2][field]] = entry[2][field + 1] end
    if fields['e'] then
      local gift = cmsgpack.unpack(fields['e'])
      spent[gift[3]] = (spent[gift[3]] or 0) + gift[9]
      last[gift[3]] = next_seq
      local mine = later[gift[3]]
      if mine then mine[#mine + 1] = {math.floor(tonumber(fields['t']) / 1000), gift[9]} end
    end
  end
  if next_seq ~= seq then return {{'WAIT', text_of(seq - next_seq)}} end
end

-- What was sent since a second and is not in PostgreSQL yet.
local function since(user, from_s)
  local coins = 0
  for _, gift in ipairs(later[user]) do
    if gift[1] >= from_s then coins = coins + gift[2] end
  end
  return coins
end

-- Whether a packed array of so many numbers is whole.
local function whole(packed, count)
  local fine, found = pcall(cmsgpack.unpack, packed)
  return fine and type(found) == 'table' and #found == count
end

local function load(key, a)
  local present = redis.call('HMGET', key, 'coins', 'limits', 'spent')
  if present[1] and whole(present[2], 7) and whole(present[3], 6) then return {'PRESENT', present[1]} end
  local user = ARGV[a]
  local balance = tonumber(ARGV[a + 1]) - (spent[user] or 0)
  if balance < 0 then return {'NEGATIVE', text_of(balance)} end
  local coins = text_of(balance)
  local day_from, day_until, day, month_from, month_until, month = unpack(cmsgpack.unpack(ARGV[a + 8]))
  if now_s < day_from or now_s >= day_until or now_s < month_from or now_s >= month_until then
    return {'WINDOW', text_of(now_s)}
  end
  local session_from = cmsgpack.unpack(ARGV[a + 6])[5]
  local counted = cmsgpack.pack({day_until, day + since(user, day_from), month_until, month + since(user, month_from),
    session_from, tonumber(ARGV[a + 9]) + since(user, session_from)})
  redis.call('HSET', key, 'coins', coins, 'state', ARGV[a + 3], 'state_no', ARGV[a + 4], 'credit_no', ARGV[a + 2],
    'last_seq', text_of(last[user] or 0), 'limits_no', ARGV[a + 5], 'limits', ARGV[a + 6], 'zone', ARGV[a + 7],
    'spent', counted)
  return {'OK', coins}
end

local results = {{'OK', ''}}
for k = 3, #KEYS do
  results[k - 1] = load(KEYS[k], 6 + (k - 3) * FIELDS)
end
return results

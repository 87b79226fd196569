-- Decides the gifts that one loop turn brought to one shard, each on its own, in order.
--
-- RUN, the id of the approved run of Redis, is set in a line before this text (giftserver/ledger/guarded.py).
-- KEYS: 1 meta, 2 events, then for gift i: wallet, receipt, earned day  (3 * i, 3 * i + 1, 3 * i + 2)
-- ARGV: 1 epoch, 2 schema, 3 backlog_max, 4 receipt_ttl_ms, 5 day of the earned keys (days since 1970, UTC),
--       then for gift i seven: sender, creator, request_hash, coins, diamonds, payload, key_ms
-- Returns {flushed}, then one array a gift: {'OK' | 'REPEAT', epoch, seq, coins, diamonds, balance, at_ms}
--       or {code, detail}: FENCED, STALE_EPOCH, SCHEMA, LEASE, MEMORY, STALE_DAY (detail: the day here), KEY_EXPIRED, KEY_REUSED, NOT_LOADED, FROZEN,
--       SELF_GIFT, BAD_AMOUNT, INSUFFICIENT (detail: balance), BACKLOG, WRITE_FAILED (detail: Redis's words)
-- A script does not roll back: everything is read and judged first, and XADD, the only write that can fail, is first.

local AMOUNT_MAX = 1000000000000
local BALANCE_LIMIT = 9007199254740992
local KEY_AGE_MAX_MS = 600000
local KEY_AHEAD_MAX_MS = 60000
local FIELDS = 7
local EARNED_S = 259200
local DAY_MS = 86400000

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local backlog_max = tonumber(ARGV[3])
local count = (#KEYS - 2) / 3

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'seq', 'flushed', 'lease_ms', 'schema', 'full', 'run')
local epoch, state, seq = meta[1], meta[2], tonumber(meta[3] or '')
local flushed, lease_ms = tonumber(meta[4] or '0'), tonumber(meta[5] or '0')

local function text_of(number) return string.format('%.0f', number) end

local function shard_refusal()
  if not epoch or state ~= 'open' then return {'FENCED', state or 'absent'} end
  if meta[8] ~= RUN then return {'FENCED', 'run'} end
  if meta[6] ~= ARGV[2] then return {'SCHEMA', meta[6] or ''} end
  if epoch ~= ARGV[1] then return {'STALE_EPOCH', epoch} end
  if lease_ms > 0 and lease_ms < now_ms then return {'LEASE', ''} end
  if meta[7] == '1' then return {'MEMORY', ''} end
  local day = math.floor(now_ms / DAY_MS)
  if tonumber(ARGV[5]) ~= day then return {'STALE_DAY', text_of(day)} end
  return nil
end

local function whole(text)
  return text ~= nil and text ~= false and string.match(text, '^%d+$') ~= nil and #text <= 13
end

local at = text_of(now_ms)
local earned_types = {}
local function type_of(name)
  local found = earned_types[name]
  if not found then
    found = redis.call('TYPE', name)['ok']
    earned_types[name] = found
  end
  return found
end

local function judge(i)
  local k = 3 * i
  local a = 5 + (i - 1) * FIELDS
  local sender, creator, request_hash = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3]
  local coins_text, diamonds_text = ARGV[a + 4], ARGV[a + 5]
  local payload, key_ms = ARGV[a + 6], tonumber(ARGV[a + 7])

  local seen = redis.call('GET', KEYS[k + 1])
  if seen then
    local receipt = cmsgpack.unpack(seen)
    if receipt[1] ~= request_hash then return {'KEY_REUSED', ''} end
    return {'REPEAT', tonumber(receipt[2]), tonumber(receipt[3]), tonumber(receipt[4]), tonumber(receipt[5]),
      tonumber(receipt[6]), tonumber(receipt[7])}
  end
  if not key_ms or key_ms < now_ms - KEY_AGE_MAX_MS or key_ms > now_ms + KEY_AHEAD_MAX_MS then
    return {'KEY_EXPIRED', ''}
  end

  local wallet = redis.call('HMGET', KEYS[k], 'coins', 'state')
  if not wallet[1] then return {'NOT_LOADED', ''} end
  if wallet[2] ~= 'active' then return {'FROZEN', ''} end
  if not whole(coins_text) or not whole(diamonds_text) then return {'BAD_AMOUNT', ''} end
  local coins, diamonds, balance = tonumber(coins_text), tonumber(diamonds_text), tonumber(wallet[1])
  if coins < 1 or coins > AMOUNT_MAX or diamonds > AMOUNT_MAX then return {'BAD_AMOUNT', ''} end
  if not balance or balance >= BALANCE_LIMIT then return {'BAD_AMOUNT', ''} end
  if sender == creator then return {'SELF_GIFT', ''} end
  if balance < coins then return {'INSUFFICIENT', wallet[1]} end
  if seq - flushed >= backlog_max then return {'BACKLOG', ''} end
  local earned_type = type_of(KEYS[k + 2])
  if earned_type ~= 'none' and earned_type ~= 'hash' then return {'WRITE_FAILED', 'earned slice has a wrong type'} end

  local next_seq = seq + 1
  local added = redis.pcall('XADD', KEYS[2], epoch .. '-' .. text_of(next_seq), 'e', payload, 't', at)
  if type(added) == 'table' and added['err'] then return {'WRITE_FAILED', added['err']} end

  seq = next_seq
  local seq_text, left = text_of(seq), text_of(balance - coins)
  redis.call('HSET', KEYS[k], 'coins', left, 'last_seq', seq_text)
  if diamonds > 0 then
    redis.call('HINCRBY', KEYS[k + 2], creator, diamonds_text)
    if earned_type == 'none' then redis.call('EXPIRE', KEYS[k + 2], EARNED_S) end
    earned_types[KEYS[k + 2]] = 'hash'
  end
  local receipt = {request_hash, tonumber(epoch), seq, coins, diamonds, balance - coins, now_ms}
  redis.call('SET', KEYS[k + 1], cmsgpack.pack(receipt), 'PX', ARGV[4])
  return {'OK', tonumber(epoch), seq, coins, diamonds, balance - coins, now_ms}
end

local function judged(i)
  local fine, result = pcall(judge, i)
  if fine then return result end
  return {'WRITE_FAILED', type(result) == 'table' and result['err'] or tostring(result)}
end

local first_seq = seq
local results = {{meta[4] or '0'}}
local refusal = shard_refusal()
for i = 1, count do
  results[i + 1] = refusal or judged(i)
end
if seq and seq > first_seq then redis.call('HSET', KEYS[1], 'seq', text_of(seq)) end
return results

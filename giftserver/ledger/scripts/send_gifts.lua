-- Decides the gifts that one loop turn brought to one shard, each on its own, in order.
--
-- RUN, the id of the approved run of Redis, is set in a line before this text (giftserver/ledger/guarded.py).
-- KEYS: 1 meta, 2 events, 3 earned day, then for gift i: wallet, receipt  (2 * i + 2, 2 * i + 3)
-- ARGV: 1 epoch, 2 schema, 3 backlog_max, 4 receipt_ttl_ms, 5 day of the earned key (days since 1970, UTC), 6 shard,
--       7 coins a day of those who chose no limit of their own (-1: any),
--       then for gift i the payload of its event  (7 + i),
--       last the gifts: msgpack, an array of {key_ms, request_hash, sender, creator, coins, diamonds,
--       the epoch in which the caller looked the key up in PostgreSQL and did not find it, or nil}
-- Returns msgpack {flushed, for each gift: {shard, epoch, seq, coins, diamonds, balance, at_ms, repeated} or false,
--       for each that is false, in order: {code, detail}}. The codes: FENCED, STALE_EPOCH, SCHEMA, LEASE, MEMORY,
--       CLOCK (this server's clock went back, so receipts may have expired that keys still stand for),
--       STALE_DAY (detail: the day here), KEY_EXPIRED, KEY_REUSED, KEY_UNSEEN (look it up),
--       NOT_LOADED, STALE_WINDOW (a day or month is over: roll_windows.lua), FROZEN, SELF_GIFT, BAD_AMOUNT,
--       INSUFFICIENT (detail: balance), LIMIT (detail: which, its coins, what is spent of them, the second it ends),
--       BACKLOG, WRITE_FAILED (detail: Redis's words)
-- A wallet's limits are msgpack: coins a gift, a day, a month, of a session (-1: any), the session's first and last
-- second, the second until which nothing may be sent. Its spent: the day's end and coins, the month's end and coins,
-- the session's first second and coins.
-- A script does not roll back: everything is read and judged first, and XADD, the only write that can fail, is first.

local AMOUNT_MAX = 1000000000000
local BALANCE_LIMIT = 9007199254740992
local KEY_AGE_MAX_MS = 600000
local KEY_AHEAD_MAX_MS = 60000
local LEASE_AHEAD_MAX_MS = 65000
local EARNED_S = 259200
local DAY_MS = 86400000

local time = redis.call('TIME')
local now_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local now_s, day_max = tonumber(time[1]), tonumber(ARGV[7])
local backlog_max, shard = tonumber(ARGV[3]), tonumber(ARGV[6])
local gifts = cmsgpack.unpack(ARGV[#ARGV])

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'seq', 'flushed', 'lease_ms', 'schema', 'full', 'run',
  'keys_from')
local epoch, state, seq = meta[1], meta[2], tonumber(meta[3] or '')
local flushed, lease_ms = tonumber(meta[4] or '0'), tonumber(meta[5] or '')
local epoch_number, keys_from = tonumber(epoch or ''), tonumber(meta[9] or '0')
local earned_type = redis.call('TYPE', KEYS[3])['ok']

local function text_of(number) return string.format('%.0f', number) end

local function shard_refusal()
  if not epoch or state ~= 'open' then return {'FENCED', state or 'absent'} end
  if meta[8] ~= RUN then return {'FENCED', 'run'} end
  if meta[6] ~= ARGV[2] then return {'SCHEMA', meta[6] or ''} end
  if epoch ~= ARGV[1] then return {'STALE_EPOCH', epoch} end
  if not lease_ms then return {'FENCED', 'no lease'} end
  if lease_ms > 0 and lease_ms < now_ms then return {'LEASE', ''} end
  if lease_ms > now_ms + LEASE_AHEAD_MAX_MS then return {'CLOCK', ''} end
  if meta[7] == '1' then return {'MEMORY', ''} end
  local day = math.floor(now_ms / DAY_MS)
  if tonumber(ARGV[5]) ~= day then return {'STALE_DAY', text_of(day)} end
  if #KEYS ~= 2 * #gifts + 3 or #ARGV ~= #gifts + 8 then return {'WRITE_FAILED', 'keys and gifts do not match'} end
  if earned_type ~= 'none' and earned_type ~= 'hash' then return {'WRITE_FAILED', 'earned slice has a wrong type'} end
  return nil
end

local function whole(number)
  return type(number) == 'number' and number >= 0 and number <= AMOUNT_MAX and number % 1 == 0
end

local function limit_of(kind, most, so_far, until_s)
  return table.concat({kind, text_of(most), text_of(so_far), text_of(until_s)}, ' ')
end

-- The limit that coins would pass, as the detail of LIMIT; nil when none. Counts them when none is passed.
local function passed(limits, spent, coins)
  local gift, day, month, session = limits[1], limits[2], limits[3], limits[4]
  if now_s < limits[7] then return limit_of('locked', 0, 0, limits[7]) end
  if gift >= 0 and coins > gift then return limit_of('gift', gift, 0, 0) end
  if day < 0 then day = day_max end
  if day >= 0 and spent[2] + coins > day then return limit_of('day', day, spent[2], spent[1]) end
  if month >= 0 and spent[4] + coins > month then return limit_of('month', month, spent[4], spent[3]) end
  if spent[5] ~= limits[5] then spent[5], spent[6] = limits[5], 0 end
  if session >= 0 and now_s < limits[6] and spent[6] + coins > session then
    return limit_of('session', session, spent[6], limits[6])
  end
  spent[2], spent[4], spent[6] = spent[2] + coins, spent[4] + coins, spent[6] + coins
  return nil
end

-- A packed array of so many numbers; nil when it is damaged: the wallet is loaded anew then.
local function unpacked(packed, count)
  local fine, found = pcall(cmsgpack.unpack, packed)
  if not fine or type(found) ~= 'table' or #found ~= count then return nil end
  return found
end

local at = text_of(now_ms)
local earned = {}

-- The gift's receipt, or nil and why not.
local function judge(i)
  local wallet_key, receipt_key = KEYS[2 * i + 2], KEYS[2 * i + 3]
  local key_time, request_hash, sender, creator, coins, diamonds, looked = unpack(gifts[i])
  local key_ms = tonumber(key_time)

  local seen = redis.call('GET', receipt_key)
  if seen then
    local receipt = cmsgpack.unpack(seen)
    if receipt[1] ~= request_hash then return nil, {'KEY_REUSED', ''} end
    receipt[1], receipt[8] = shard, true
    return receipt
  end
  if not key_ms or key_ms < now_ms - KEY_AGE_MAX_MS or key_ms > now_ms + KEY_AHEAD_MAX_MS then
    return nil, {'KEY_EXPIRED', ''}
  end
  -- Receipts from before the shard was filled again are not here: such a key may have been charged.
  if key_ms <= keys_from and looked ~= epoch_number then return nil, {'KEY_UNSEEN', ''} end

  local wallet = redis.call('HMGET', wallet_key, 'coins', 'state', 'limits', 'spent')
  local limits, spent = unpacked(wallet[3], 7), unpacked(wallet[4], 6)
  if not wallet[1] or not limits or not spent then return nil, {'NOT_LOADED', ''} end
  if wallet[2] ~= 'active' then return nil, {'FROZEN', ''} end
  local balance = tonumber(wallet[1])
  if not whole(coins) or not whole(diamonds) or coins < 1 then return nil, {'BAD_AMOUNT', ''} end
  if not balance or balance >= BALANCE_LIMIT then return nil, {'BAD_AMOUNT', ''} end
  if sender == creator then return nil, {'SELF_GIFT', ''} end
  if balance < coins then return nil, {'INSUFFICIENT', wallet[1]} end
  if now_s >= spent[1] or now_s >= spent[3] then return nil, {'STALE_WINDOW', ''} end
  local limit = passed(limits, spent, coins)
  if limit then return nil, {'LIMIT', limit} end
  if seq - flushed >= backlog_max then return nil, {'BACKLOG', ''} end

  local seq_text = text_of(seq + 1)
  local added = redis.pcall('XADD', KEYS[2], epoch .. '-' .. seq_text, 'e', ARGV[7 + i], 't', at)
  if type(added) == 'table' and added['err'] then return nil, {'WRITE_FAILED', added['err']} end

  seq = seq + 1
  local left = balance - coins
  redis.call('HSET', wallet_key, 'coins', text_of(left), 'last_seq', seq_text, 'spent', cmsgpack.pack(spent))
  if diamonds > 0 then earned[creator] = (earned[creator] or 0) + diamonds end
  local receipt = {request_hash, epoch_number, seq, coins, diamonds, left, now_ms}
  redis.call('SET', receipt_key, cmsgpack.pack(receipt), 'PX', ARGV[4])
  receipt[1], receipt[8] = shard, false
  return receipt
end

local first_seq = seq
local accepted, refused = {}, {}
local refusal = shard_refusal()
for i = 1, #gifts do
  local fine, receipt, why = true, nil, refusal
  if not refusal then
    fine, receipt, why = pcall(judge, i)
    if not fine then why = {'WRITE_FAILED', type(receipt) == 'table' and receipt['err'] or tostring(receipt)} end
  end
  if fine and receipt then
    accepted[i] = receipt
  else
    accepted[i] = false
    refused[#refused + 1] = why
  end
end
if seq and seq > first_seq then
  redis.call('HSET', KEYS[1], 'seq', text_of(seq))
  -- The gifts stand whatever a damaged slice says; `giftserver verify` finds the difference.
  for creator, diamonds in pairs(earned) do redis.pcall('HINCRBY', KEYS[3], creator, text_of(diamonds)) end
  if earned_type == 'none' then redis.call('EXPIRE', KEYS[3], EARNED_S) end
end
return cmsgpack.pack({flushed, accepted, refused})

-- Brings a person's limits to their wallet, by number: an older number than the wallet's changes nothing.
-- Where the windows change, or what was spent in one was not counted before, the wallet is dropped: whoever loads it
-- anew brings both.
--
-- KEYS: 1 meta, 2 wallet
-- ARGV: 1 epoch, 2 schema, 3 number, 4 limits (msgpack, see send_gifts.lua), 5 time zones
-- Returns {'OK'} | {'ABSENT'} | {'FENCED' | 'SCHEMA' | 'STALE_EPOCH', detail}

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'schema', 'run')
if not meta[1] or meta[2] ~= 'open' then return {'FENCED', meta[2] or 'absent'} end
if meta[4] ~= RUN then return {'FENCED', 'run'} end
if meta[3] ~= ARGV[2] then return {'SCHEMA', meta[3] or ''} end
if meta[1] ~= ARGV[1] then return {'STALE_EPOCH', meta[1]} end

local wallet = redis.call('HMGET', KEYS[2], 'coins', 'limits', 'limits_no', 'zone')
if not wallet[1] or not wallet[2] then return {'ABSENT'} end
if tonumber(ARGV[3]) <= tonumber(wallet[3] or '0') then return {'OK'} end
local fine, before = pcall(cmsgpack.unpack, wallet[2])
if not fine or type(before) ~= 'table' or #before ~= 7 then return {'ABSENT'} end  -- damaged: it is loaded anew
local after = cmsgpack.unpack(ARGV[4])
if wallet[4] ~= ARGV[5] or (before[3] < 0 and after[3] >= 0) then
  redis.call('DEL', KEYS[2])
  return {'ABSENT'}
end
redis.call('HSET', KEYS[2], 'limits', ARGV[4], 'limits_no', ARGV[3])
return {'OK'}

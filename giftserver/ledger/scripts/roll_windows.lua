-- Begins a new day or month of a wallet whose last one is over by this server's clock; one that is not over stays.
-- Where several zones count, what was sent in the last one may count in the next: the wallet is dropped then, and whoever
-- loads it anew counts.
--
-- KEYS: 1 meta, 2 wallet
-- ARGV: 1 epoch, 2 schema, 3 time zones, 4 whether they are several (1 or 0), 5 … 8 the day and the month around now:
--       day from, day until, month from, month until, seconds since 1970
-- Returns {'OK'} | {'DROPPED'} | {'ABSENT', or damaged} | {'ZONE', the wallet's} |
--       {'WINDOW', now in seconds: these are not around it} | {'FENCED' | 'SCHEMA' | 'STALE_EPOCH', detail}

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'schema', 'run')
if not meta[1] or meta[2] ~= 'open' then return {'FENCED', meta[2] or 'absent'} end
if meta[4] ~= RUN then return {'FENCED', 'run'} end
if meta[3] ~= ARGV[2] then return {'SCHEMA', meta[3] or ''} end
if meta[1] ~= ARGV[1] then return {'STALE_EPOCH', meta[1]} end

local wallet = redis.call('HMGET', KEYS[2], 'coins', 'spent', 'zone')
if not wallet[1] or not wallet[2] then return {'ABSENT'} end
if wallet[3] ~= ARGV[3] then return {'ZONE', wallet[3] or ''} end
local now_s = tonumber(redis.call('TIME')[1])
local day_from, day_until = tonumber(ARGV[5]), tonumber(ARGV[6])
local month_from, month_until = tonumber(ARGV[7]), tonumber(ARGV[8])
if now_s < day_from or now_s >= day_until or now_s < month_from or now_s >= month_until then
  return {'WINDOW', tostring(now_s)}
end
local fine, spent = pcall(cmsgpack.unpack, wallet[2])
if not fine or type(spent) ~= 'table' or #spent ~= 6 then return {'ABSENT'} end
if ARGV[4] == '1' and (now_s >= spent[1] or now_s >= spent[3]) then
  redis.call('DEL', KEYS[2])
  return {'DROPPED'}
end
if now_s >= spent[1] then spent[1], spent[2] = day_until, 0 end
if now_s >= spent[3] then spent[3], spent[4] = month_until, 0 end
redis.call('HSET', KEYS[2], 'spent', cmsgpack.pack(spent))
return {'OK'}

-- Puts a wallet on hold, or ends that, by number: an older number than the wallet's changes nothing.
--
-- KEYS: 1 meta, 2 wallet
-- ARGV: 1 epoch, 2 schema, 3 number, 4 state ('active' or 'held')
-- Returns {'OK', number of the sender's last gift, state after this} | {'ABSENT'} | {'FENCED' | 'SCHEMA' | 'STALE_EPOCH', detail}

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'schema', 'run')
if not meta[1] or meta[2] ~= 'open' then return {'FENCED', meta[2] or 'absent'} end
if meta[4] ~= RUN then return {'FENCED', 'run'} end
if meta[3] ~= ARGV[2] then return {'SCHEMA', meta[3] or ''} end
if meta[1] ~= ARGV[1] then return {'STALE_EPOCH', meta[1]} end

local wallet = redis.call('HMGET', KEYS[2], 'coins', 'state_no', 'last_seq')
if not wallet[1] then return {'ABSENT'} end
if tonumber(ARGV[3]) > tonumber(wallet[2] or '0') then
  redis.call('HSET', KEYS[2], 'state', ARGV[4], 'state_no', ARGV[3])
end
return {'OK', wallet[3] or '0', redis.call('HGET', KEYS[2], 'state')}

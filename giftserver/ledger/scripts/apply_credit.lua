-- Applies one numbered credit of the PostgreSQL outbox to a wallet: the next number only, so repeats and gaps are harmless.
-- Coins below zero are taken from the wallet, which is on hold then and has them.
--
-- KEYS: 1 meta, 2 wallet
-- ARGV: 1 epoch, 2 schema, 3 credit_no, 4 coins
-- Returns {'OK', coins} | {'REPEAT', coins} | {'GAP', credit_no} | {'ABSENT'} | {'LIMIT', coins} | {'SHORT', coins} | {'FENCED' | 'SCHEMA' | 'STALE_EPOCH', detail}

local BALANCE_LIMIT = 9007199254740992

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'schema', 'run')
if not meta[1] or meta[2] ~= 'open' then return {'FENCED', meta[2] or 'absent'} end
if meta[4] ~= RUN then return {'FENCED', 'run'} end
if meta[3] ~= ARGV[2] then return {'SCHEMA', meta[3] or ''} end
if meta[1] ~= ARGV[1] then return {'STALE_EPOCH', meta[1]} end

local wallet = redis.call('HMGET', KEYS[2], 'coins', 'credit_no')
if not wallet[1] then return {'ABSENT'} end
local last, number = tonumber(wallet[2]), tonumber(ARGV[3])
if number <= last then return {'REPEAT', wallet[1]} end
if number ~= last + 1 then return {'GAP', wallet[2]} end
local coins = tonumber(wallet[1]) + tonumber(ARGV[4])
if coins >= BALANCE_LIMIT then return {'LIMIT', wallet[1]} end
if coins < 0 then return {'SHORT', wallet[1]} end

local text = string.format('%.0f', coins)
redis.call('HSET', KEYS[2], 'coins', text, 'credit_no', ARGV[3])
return {'OK', text}

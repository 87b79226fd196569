-- Reads wallets of one shard together with the number of its last gift, at one instant.
--
-- KEYS: 1 meta, 2… wallets
-- Returns {epoch, seq, {coins, credit_no, state, state_no, spent, zone} …}; nothing but {} when this Redis does not know the shard

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
if not meta[1] or not meta[2] then return {} end
local result = {meta[1], meta[2]}
for i = 2, #KEYS do
  result[i + 1] = redis.call('HMGET', KEYS[i], 'coins', 'credit_no', 'state', 'state_no', 'spent', 'zone')
end
return result

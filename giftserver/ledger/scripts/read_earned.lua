-- Reads days of a shard's earned diamonds together with the number of its last gift, at one instant.
--
-- KEYS: 1 meta, 2… earned days
-- Returns {epoch, seq, {creator, diamonds, …} …}; nothing but {} when this Redis does not know the shard

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
if not meta[1] or not meta[2] then return {} end
local result = {meta[1], meta[2]}
for i = 2, #KEYS do
  result[i + 1] = redis.call('HGETALL', KEYS[i])
end
return result

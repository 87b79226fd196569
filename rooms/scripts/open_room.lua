-- Gives a room its epoch if it has none, and tells where it stands.
--
-- KEYS: 1 room meta
-- ARGV: 1 epoch to use for a new room, 2 ttl_ms
-- Returns {epoch, offset}

if redis.call('HSETNX', KEYS[1], 'epoch', ARGV[1]) == 1 then
  redis.call('HSET', KEYS[1], 'offset', '0')
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset')
return {meta[1], meta[2]}

#!lua flags=allow-oom
-- Stops a shard: no gift is taken and no wallet is loaded until it is opened again.
--
-- KEYS: 1 meta
-- ARGV: 1 state (fenced | replaying)
-- Returns 1, or 0 when this Redis does not know the shard, which is then closed anyway

if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'lease_ms', '1')
return 1

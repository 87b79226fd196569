-- Opens a shard that has never been used in this Redis, continuing where PostgreSQL's flush cursor stands.
--
-- KEYS: 1 meta, 2 events
-- ARGV: 1 schema, 2 run, 3 cursor_epoch, 4 cursor_seq
-- Returns {state, epoch, 'new' | 'kept'} | {'BEHIND', seq}: Redis knows less than PostgreSQL | {'DIVERGED'}: events without meta

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'seq')
if meta[1] then
  if tonumber(meta[3]) < tonumber(ARGV[4]) then return {'BEHIND', meta[3]} end
  return {meta[2], meta[1], 'kept'}
end
if redis.call('EXISTS', KEYS[2]) == 1 then return {'DIVERGED'} end
local epoch = string.format('%.0f', tonumber(ARGV[3]) + 1)
redis.call('HSET', KEYS[1], 'epoch', epoch, 'state', 'open', 'seq', ARGV[4], 'flushed', ARGV[4], 'announced', ARGV[4],
  'lease_ms', '0', 'run', ARGV[2], 'schema', ARGV[1])
return {'open', epoch, 'new'}

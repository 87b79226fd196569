-- Installs a wallet that is not there, from a PostgreSQL snapshot taken at the shard's flush cursor.
-- Debits that the snapshot does not know are still in the stream after the cursor: they are subtracted here,
-- so the balance is exact whatever happened between the snapshot and this call.
--
-- KEYS: 1 meta, 2 events, 3 wallet
-- ARGV: 1 epoch, 2 schema, 3 user, 4 coins, 5 credit_no, 6 cursor_epoch, 7 cursor_seq, 8 scan_max
-- Returns {'OK', coins} | {'PRESENT', coins} | {'WAIT', unflushed} | {'BEHIND'} | {'NEGATIVE', coins} | {'FENCED' | 'SCHEMA' | 'STALE_EPOCH', detail}

local meta = redis.call('HMGET', KEYS[1], 'epoch', 'state', 'seq', 'schema')
if not meta[1] or meta[2] ~= 'open' then return {'FENCED', meta[2] or 'absent'} end
if meta[4] ~= ARGV[2] then return {'SCHEMA', meta[4] or ''} end
if meta[1] ~= ARGV[1] then return {'STALE_EPOCH', meta[1]} end

local present = redis.call('HGET', KEYS[3], 'coins')
if present then return {'PRESENT', present} end

local seq, cursor = tonumber(meta[3]), tonumber(ARGV[7])
if cursor > seq then return {'BEHIND'} end
if seq - cursor > tonumber(ARGV[8]) then return {'WAIT', string.format('%.0f', seq - cursor)} end

local balance, last_seq, next_seq = tonumber(ARGV[4]), 0, cursor
if seq > cursor then
  local after = '(' .. ARGV[6] .. '-' .. ARGV[7]
  for _, entry in ipairs(redis.call('XRANGE', KEYS[2], after, '+')) do
    next_seq = next_seq + 1
    if entry[1]:match('%-(%d+)$') ~= string.format('%.0f', next_seq) then return {'WAIT', entry[1]} end
    for field = 1, #entry[2], 2 do
      if entry[2][field] == 'e' then
        local gift = cmsgpack.unpack(entry[2][field + 1])
        if gift[3] == ARGV[3] then
          balance = balance - gift[9]
          last_seq = next_seq
        end
      end
    end
  end
  if next_seq ~= seq then return {'WAIT', string.format('%.0f', seq - next_seq)} end
end
if balance < 0 then return {'NEGATIVE', string.format('%.0f', balance)} end

local coins = string.format('%.0f', balance)
redis.call('HSET', KEYS[3], 'coins', coins, 'state', 'active', 'credit_no', ARGV[5], 'last_seq', string.format('%.0f', last_seq))
return {'OK', coins}

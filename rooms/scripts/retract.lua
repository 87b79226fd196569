-- Takes an event's score back from its person and from the room's sum. The event itself stays: it was shown.
--
-- KEYS: 1 room meta, 2 scores zset
-- ARGV: 1 score, 2 person id
-- Returns the person's score afterwards, or false when the room has none of that person

local score = redis.call('ZSCORE', KEYS[2], ARGV[2])
if not score then return false end
local left = math.max(0, tonumber(score) - tonumber(ARGV[1]))
if left > 0 then
  redis.call('ZADD', KEYS[2], string.format('%.0f', left), ARGV[2])
else
  redis.call('ZREM', KEYS[2], ARGV[2])
  redis.call('HDEL', KEYS[1], 'expires_ms')  -- the zset may have gone with its last person: it gets an end again
end
redis.call('HINCRBY', KEYS[1], 'score', string.format('%.0f', left - tonumber(score)))
return string.format('%.0f', left)

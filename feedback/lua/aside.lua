-- Keeps one delivery of answers aside, or forgets it; what is too old goes first, then the oldest of what is too many.
-- KEYS[1]  hash of delivery → row as JSON
-- KEYS[2]  zset of delivery, scored by its arrival in seconds
-- ARGV[1]  delivery
-- ARGV[2]  row; empty: forget
-- ARGV[3]  arrival
-- ARGV[4]  what arrived before this moment is too old
-- ARGV[5]  how many are kept
-- RETURNS  how many are kept now
-- Invariant: both keys hold the same deliveries. A delivery that comes again replaces what was kept of it, and is as old
-- as it was.

local function forget(deliveries)
  for _, delivery in ipairs(deliveries) do
    redis.call('HDEL', KEYS[1], delivery)
    redis.call('ZREM', KEYS[2], delivery)
  end
end

if ARGV[2] == '' then
  forget({ARGV[1]})
else
  redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
  redis.call('ZADD', KEYS[2], 'NX', ARGV[3], ARGV[1])
end
forget(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', '(' .. ARGV[4], 'LIMIT', 0, 1000))
local excess = redis.call('ZCARD', KEYS[2]) - tonumber(ARGV[5])
if excess > 0 then
  forget(redis.call('ZRANGE', KEYS[2], 0, math.min(excess, 1000) - 1))
end
return redis.call('ZCARD', KEYS[2])

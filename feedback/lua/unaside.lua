-- Forgets deliveries of answers that were kept aside.
-- KEYS[1]   HASH delivery → row as JSON
-- KEYS[2]   ZSET delivery, scored by its arrival in seconds
-- KEYS[3]   HASH delivery → room
-- KEYS[4]   HASH room → its deliveries
-- ARGV[1…]  deliveries
-- RETURNS   how many were there
-- Invariant: the keys hold the same deliveries.

local forgotten = 0
for _, delivery in ipairs(ARGV) do
  local room = redis.call('HGET', KEYS[3], delivery)
  if room then
    forgotten = forgotten + 1
    if redis.call('HINCRBY', KEYS[4], room, -1) <= 0 then
      redis.call('HDEL', KEYS[4], room)
    end
  end
  redis.call('HDEL', KEYS[1], delivery)
  redis.call('ZREM', KEYS[2], delivery)
  redis.call('HDEL', KEYS[3], delivery)
end
return forgotten

-- Keeps one delivery of answers aside, as far as its source's bounds allow. What is kept is never pushed out by what comes.
-- KEYS[1]  HASH delivery → row as JSON
-- KEYS[2]  ZSET delivery, scored by its arrival in seconds
-- KEYS[3]  HASH delivery → room
-- KEYS[4]  HASH room → its deliveries
-- ARGV[1]  delivery
-- ARGV[2]  row
-- ARGV[3]  arrival
-- ARGV[4]  room
-- ARGV[5]  how many deliveries the source may have
-- ARGV[6]  how many deliveries a room may have
-- ARGV[7]  how many rooms
-- RETURNS  1, or 0: dropped
-- Invariant: the keys hold the same deliveries. One that comes again replaces what was kept of it, in the room where it was,
-- and is as old as it was.

if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then
  local held = tonumber(redis.call('HGET', KEYS[4], ARGV[4]) or '0')
  if redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[5]) or held >= tonumber(ARGV[6])
    or held == 0 and redis.call('HLEN', KEYS[4]) >= tonumber(ARGV[7]) then
    return 0
  end
  redis.call('ZADD', KEYS[2], ARGV[3], ARGV[1])
  redis.call('HSET', KEYS[3], ARGV[1], ARGV[4])
  redis.call('HINCRBY', KEYS[4], ARGV[4], 1)
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1

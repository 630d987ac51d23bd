-- Keeps authentic events of one source aside, as far as its bounds allow. A new event never pushes out an older one.
-- KEYS[1]   HASH room's token → room and alias as JSON
-- KEYS[2]   HASH token.kind.reason → events|earliest|latest, by event time
-- KEYS[3]   ZSET token.event's id, scored by its arrival in ms
-- KEYS[4…]  HASH event's id → token.kind.reason|event time|event: of the room of each event
-- ARGV[1]   how many events the source may have
-- ARGV[2]   how many events a room may have
-- ARGV[3]   how many rooms
-- ARGV[4…]  of each event: token, room and alias, id, token.kind.reason, event time, arrival, event
-- RETURNS   for each event 1, or 0: dropped
-- Invariant: the first three keys are an index of what the rooms hold. An event that comes again keeps its first arrival.

local function note(group, at)
  local count, first, last = 0, at, at
  local known = redis.call('HGET', KEYS[2], group)
  if known then
    count, first, last = string.match(known, '^(%d+)|(%-?%d+)|(%-?%d+)$')
    if tonumber(at) < tonumber(first) then first = at end
    if tonumber(at) > tonumber(last) then last = at end
  end
  redis.call('HSET', KEYS[2], group, (tonumber(count) + 1) .. '|' .. first .. '|' .. last)
end

local function full(room, token)
  return redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[1])
    or redis.call('HLEN', room) >= tonumber(ARGV[2])
    or redis.call('HEXISTS', KEYS[1], token) == 0 and redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3])
end

local kept = {}
for i = 4, #KEYS do
  local a = 3 + (i - 4) * 7
  local token, name, id, group, at, arrival, event = ARGV[a + 1], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5], ARGV[a + 6], ARGV[a + 7]
  kept[i - 3] = 1
  if redis.call('HEXISTS', KEYS[i], id) == 0 then
    if full(KEYS[i], token) then
      kept[i - 3] = 0
    else
      redis.call('HSET', KEYS[i], id, group .. '|' .. at .. '|' .. event)
      redis.call('HSET', KEYS[1], token, name)
      redis.call('ZADD', KEYS[3], arrival, token .. '.' .. id)
      note(group, at)
    end
  end
end
return kept

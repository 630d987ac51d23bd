-- Removes events of one room from what is aside: they are recorded, or too old.
-- KEYS[1]   HASH room's token → room and alias as JSON
-- KEYS[2]   HASH token.kind.reason → events|earliest|latest, by event time
-- KEYS[3]   ZSET token.event's id, scored by its arrival in ms
-- KEYS[4]   HASH event's id → token.kind.reason|event time|event: of the room
-- ARGV[1]   token
-- ARGV[2]   1: this is the last call for the room now. Then the earliest and the latest of each group are computed from what is
--           left, which reads all of it; before, they may be those of removed events
-- ARGV[3…]  ids
-- RETURNS   how many were there
-- Invariant: the first three keys are an index of what the room holds.

local parts = '^([^|]*)|(%-?%d+)|'

local function less(group)
  local count, rest = string.match(redis.call('HGET', KEYS[2], group) or '0|0|0', '^(%d+)(|.*)$')
  if tonumber(count) > 1 then
    redis.call('HSET', KEYS[2], group, (tonumber(count) - 1) .. rest)
  else
    redis.call('HDEL', KEYS[2], group)
  end
end

local taken = 0
for i = 3, #ARGV do
  local value = redis.call('HGET', KEYS[4], ARGV[i])
  redis.call('ZREM', KEYS[3], ARGV[1] .. '.' .. ARGV[i])
  if value then
    taken = taken + 1
    redis.call('HDEL', KEYS[4], ARGV[i])
    less((string.match(value, parts)))
  end
end
if redis.call('HLEN', KEYS[4]) == 0 then
  redis.call('HDEL', KEYS[1], ARGV[1])
elseif ARGV[2] == '1' and taken > 0 then
  local groups = {}
  for _, value in ipairs(redis.call('HVALS', KEYS[4])) do
    local group, at = string.match(value, parts)
    local g = groups[group] or {0, at, at}
    g[1] = g[1] + 1
    if tonumber(at) < tonumber(g[2]) then g[2] = at end
    if tonumber(at) > tonumber(g[3]) then g[3] = at end
    groups[group] = g
  end
  for group, g in pairs(groups) do
    redis.call('HSET', KEYS[2], group, g[1] .. '|' .. g[2] .. '|' .. g[3])
  end
end
return taken

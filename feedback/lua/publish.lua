-- Shows changes of answers, all at once or not at all.
-- KEYS[1]  hash of receipt hash → "revision row"
-- KEYS[2]  zset of receipt hash, all scored 0: answers that differ from what is shown of them
-- KEYS[3]  hash of receipt hash → row as it is shown
-- KEYS[4]  hash of cell → count of the rows in KEYS[3] and KEYS[5]
-- KEYS[5]  hash of id → {segment, stay, cells}: deleted answers that KEYS[4] still counts
-- ARGV[1]  how many answers; for each of them, receipt hash and revision
--          how many deleted answers; for each of them, its id
--          cell and by how much it changes, for each cell
-- RETURNS  1, or 0 if one of them has changed since the caller counted them
-- Invariant: the caller lists, of each group of people that the changes touch, at least as many changes as the minimum
-- group has people, so that two readings tell nothing about fewer. As none of them has changed, that still holds here.

local next = 1
local function take()
  next = next + 1
  return ARGV[next - 1]
end

local rows, gone = {}, {}
for _ = 1, tonumber(take()) do
  local hash, revision = take(), take()
  local field = redis.call('HGET', KEYS[1], hash)
  if not field or not redis.call('ZSCORE', KEYS[2], hash) then
    return 0
  end
  local at, row = string.match(field, '^(%d+) (.*)$')
  if at ~= revision then
    return 0
  end
  rows[#rows + 1] = {hash, row}
end
for _ = 1, tonumber(take()) do
  local id = take()
  if redis.call('HEXISTS', KEYS[5], id) == 0 then
    return 0
  end
  gone[#gone + 1] = id
end

for _, shown in ipairs(rows) do
  redis.call('HSET', KEYS[3], shown[1], shown[2])
  redis.call('ZREM', KEYS[2], shown[1])
end
for _, id in ipairs(gone) do
  redis.call('HDEL', KEYS[5], id)
end
while next <= #ARGV do
  local cell, by = take(), take()
  if redis.call('HINCRBY', KEYS[4], cell, by) == 0 then
    redis.call('HDEL', KEYS[4], cell)
  end
end
return 1

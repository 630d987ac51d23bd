-- Writes one answer and corrects every tally by the difference between the old answer and the new one.
-- KEYS[1]  hash of receipt hash → "revision row", the row as JSON; an empty row is a tombstone
-- KEYS[2]  hash of cell → count; a cell that nobody is in has no field
-- ARGV[1]  receipt hash
-- ARGV[2]  revision; 0: after whatever is there
-- ARGV[3]  row; empty: delete
-- RETURNS  "recorded", "duplicate", "superseded" or "deleted"
-- Invariant: each field of KEYS[2] is the number of rows in KEYS[1] that list it in their cells.
-- Applied in any order and any number of times, entries end in the same state: the highest revision stays, and a
-- tombstone, which has none above it. Only revision 0, of an entry prepared while the store was away, is late by
-- definition: it takes the place of whatever is there when it is applied.

local old_revision, old_row = 0, nil
local field = redis.call('HGET', KEYS[1], ARGV[1])
if field then
  local revision, row = string.match(field, '^(%d+) (.*)$')
  old_revision, old_row = tonumber(revision), row
end

local revision, row = tonumber(ARGV[2]), ARGV[3]
if old_row == row then
  return 'duplicate'
end
if old_row == '' then
  return 'deleted'
end
if row ~= '' and revision ~= 0 and revision <= old_revision then
  return 'superseded'
end
if revision <= old_revision then
  revision = old_revision + 1
end

local delta = {}
local function count(json, by)
  if json and json ~= '' then
    for _, cell in ipairs(cjson.decode(json).cells) do
      delta[cell] = (delta[cell] or 0) + by
    end
  end
end
count(old_row, -1)
count(row, 1)

redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', revision) .. ' ' .. row)
for cell, by in pairs(delta) do
  if by ~= 0 and redis.call('HINCRBY', KEYS[2], cell, string.format('%.0f', by)) == 0 then
    redis.call('HDEL', KEYS[2], cell)
  end
end
return 'recorded'

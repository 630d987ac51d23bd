-- Writes one answer and corrects every tally by the difference between the old answer and the new one.
-- KEYS[1]  hash of receipt hash → "revision row", the row as JSON; an empty row is a tombstone
-- KEYS[2]  hash of cell → count; a cell that nobody is in has no field
-- KEYS[3]  zset of receipt hash, all scored 0: answers that differ from what is shown of them
-- KEYS[4]  hash of receipt hash → row as it is shown
-- KEYS[5]  hash of id → {segment, stay, cells}: deleted answers that the shown figures still count
-- KEYS[6]  hash of what was promised: level, k, minors
-- KEYS[7]  hash of version → definition of the survey, as JSON
-- ARGV[1]  receipt hash
-- ARGV[2]  revision; 0: after whatever is there
-- ARGV[3]  row; empty: delete
-- ARGV[4]  id in KEYS[5] for a deleted answer
-- ARGV[5]  level promised with this answer, "anonymous" or "linked"; empty: nothing new is promised
-- ARGV[6]  minimum group promised
-- ARGV[7]  "1": the answers are of minors
-- ARGV[8]  version of the survey that is answered
-- ARGV[9]  its definition; empty: it should be known
-- RETURNS  "recorded", "duplicate", "superseded" or "deleted"; "undefined", with nothing written, if the definition is wanted
-- Invariants: each field of KEYS[2] is the number of rows in KEYS[1] that list it in their cells. KEYS[3] holds those
-- whose rows in KEYS[1] and KEYS[4] are not the same. What was promised is only ever tightened.
-- Applied in any order and any number of times, entries end in the same state: the highest revision stays, and a
-- tombstone, which has none above it. Only revision 0, of an entry prepared while the store was away, is late by
-- definition: it takes the place of whatever is there when it is applied.

if ARGV[8] ~= '' and ARGV[9] == '' and redis.call('HEXISTS', KEYS[7], ARGV[8]) == 0 then
  return 'undefined'
end

local old_revision, old_row = 0, nil
local field = redis.call('HGET', KEYS[1], ARGV[1])
if field then
  local revision, row = string.match(field, '^(%d+) (.*)$')
  old_revision, old_row = tonumber(revision), row
end

local revision, row = tonumber(ARGV[2]), ARGV[3]
local duplicate = old_row == row
if not duplicate then
  if old_row == '' then
    return 'deleted'
  end
  if row ~= '' and revision ~= 0 and revision <= old_revision then
    return 'superseded'
  end
  if revision <= old_revision then
    revision = old_revision + 1
  end
end
local shown = redis.call('HGET', KEYS[4], ARGV[1])
local promised_k = tonumber(redis.call('HGET', KEYS[6], 'k') or '0')

local delta = {}
local function count(json, by)
  if json and json ~= '' then
    for _, cell in ipairs(cjson.decode(json).cells) do
      delta[cell] = (delta[cell] or 0) + by
    end
  end
end
if not duplicate then
  count(old_row, -1)
  count(row, 1)
end

if ARGV[5] ~= '' then
  if ARGV[5] == 'anonymous' then
    redis.call('HSET', KEYS[6], 'level', 'anonymous')
  else
    redis.call('HSETNX', KEYS[6], 'level', ARGV[5])
  end
  if tonumber(ARGV[6]) > promised_k then
    redis.call('HSET', KEYS[6], 'k', ARGV[6])
  end
  if ARGV[7] == '1' then
    redis.call('HSET', KEYS[6], 'minors', '1')
  end
end
if ARGV[9] ~= '' then
  redis.call('HSETNX', KEYS[7], ARGV[8], ARGV[9])
end
if duplicate then
  if revision > old_revision then -- as the journal has it, or the next change would not outrank it there
    redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', revision) .. ' ' .. row)
  end
  return 'duplicate'
end

redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', revision) .. ' ' .. row)
for cell, by in pairs(delta) do
  if by ~= 0 and redis.call('HINCRBY', KEYS[2], cell, string.format('%.0f', by)) == 0 then
    redis.call('HDEL', KEYS[2], cell)
  end
end
if row ~= '' and row ~= shown then
  redis.call('ZADD', KEYS[3], 0, ARGV[1])
  return 'recorded'
end
redis.call('ZREM', KEYS[3], ARGV[1])
if row == '' and shown then
  local said = cjson.decode(shown)
  redis.call('HDEL', KEYS[4], ARGV[1])
  redis.call('HSET', KEYS[5], ARGV[4], cjson.encode({segment = said.segment, stay = said.stay, cells = said.cells}))
end
return 'recorded'

-- Writes one decision about a text.
-- KEYS[1]  hash of text id → "revision decision row"
-- ARGV[1]  text id
-- ARGV[2]  revision, from 1
-- ARGV[3]  decision: "approve" or "hide"
-- ARGV[4]  receipt hash of the answer that the text stands in
-- RETURNS  1 if it stands now, 0 if a later one does
-- Invariant: applied in any order and any number of times, the decision with the highest revision stands, and of two made
-- at the same moment the one that hides.

local field = redis.call('HGET', KEYS[1], ARGV[1])
if field then
  local revision, decision = string.match(field, '^(%d+) (%a+)')
  revision = tonumber(revision)
  if revision > tonumber(ARGV[2]) or revision == tonumber(ARGV[2]) and decision == 'hide' and ARGV[3] ~= 'hide' then
    return 0
  end
end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. ARGV[4])
return 1

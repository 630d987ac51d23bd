-- Lets one form use an invitation, or gives it back.
-- KEYS[1]  hash of invitation → "segment|" while it is free, "segment|form" once it is used
-- ARGV[1]  invitation
-- ARGV[2]  form
-- ARGV[3]  "use" or "release"
-- RETURNS  {outcome, segment}; the outcome is "fresh" (it is this form's from now on), "again" (it was before), "used" (it is
--          another one's), "unknown" or "released"
-- Invariant: an invitation that a form has used is no other's. Which answer the form brought is kept nowhere.

local field = redis.call('HGET', KEYS[1], ARGV[1])
if not field then
  return {'unknown', ''}
end
local segment, form = string.match(field, '^([^|]*)|(.*)$')
if form ~= '' and form ~= ARGV[2] then
  return {'used', segment}
end
if ARGV[3] == 'release' then
  redis.call('HSET', KEYS[1], ARGV[1], segment .. '|')
  return {'released', segment}
end
if form == ARGV[2] then
  return {'again', segment}
end
redis.call('HSET', KEYS[1], ARGV[1], segment .. '|' .. ARGV[2])
return {'fresh', segment}

-- Keeps what one person has filled in so far, or forgets it once it is sent, and corrects the progress of all by the
-- difference with what this draft was counted with before.
-- KEYS[1]  hash of one draft: "content" (none once it is sent) and "counted", a JSON list of fields of KEYS[2]
-- KEYS[2]  hash of "<item>|seen" and "<item>|answered" → number of drafts
-- KEYS[3]  set of the drafts that changed since progress was last published (see progress.lua)
-- ARGV[1]  the draft's name in KEYS[3]
-- ARGV[2]  content; empty: it is sent
-- ARGV[3]  what it counts as from now on, as "counted"
-- ARGV[4]  how long it is kept, in seconds; 0 or less: it is over, and only counts
-- RETURNS  "kept" or "sent": it was sent before, and no content comes back
-- Invariant: each field of KEYS[2] is the number of drafts, those that are over included, that list it as counted.

local counted = redis.call('HGET', KEYS[1], 'counted')
local content = redis.call('HGET', KEYS[1], 'content')
if counted and not content and ARGV[2] ~= '' then
  return 'sent'
end

local delta = {}
local function count(list, by)
  for _, field in ipairs(cjson.decode(list)) do
    delta[field] = (delta[field] or 0) + by
  end
end
count(counted or '[]', -1)
count(ARGV[3], 1)

for field, by in pairs(delta) do
  if by ~= 0 then
    redis.call('SADD', KEYS[3], ARGV[1])
    if redis.call('HINCRBY', KEYS[2], field, string.format('%.0f', by)) == 0 then
      redis.call('HDEL', KEYS[2], field)
    end
  end
end
redis.call('DEL', KEYS[1])
if tonumber(ARGV[4]) > 0 then
  redis.call('HSET', KEYS[1], 'counted', ARGV[3])
  if ARGV[2] ~= '' then
    redis.call('HSET', KEYS[1], 'content', ARGV[2])
  end
  redis.call('EXPIRE', KEYS[1], ARGV[4])
end
return 'kept'

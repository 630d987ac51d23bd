-- Reads the progress of a session's forms as it was last published, and publishes it first if enough drafts have changed
-- since, so that two readings never differ by fewer people than that.
-- KEYS[1]  hash of "<item>|seen" and "<item>|answered" → number of drafts
-- KEYS[2]  the same as last published
-- KEYS[3]  set of the drafts that changed since
-- ARGV[1]  how many have to
-- RETURNS  1 if it was published now, else 0; then fields and values of KEYS[2]

local published = 0
if redis.call('SCARD', KEYS[3]) >= tonumber(ARGV[1]) then
  published = 1
  redis.call('DEL', KEYS[2], KEYS[3])
  local progress = redis.call('HGETALL', KEYS[1])
  for i = 1, #progress, 2 do
    redis.call('HSET', KEYS[2], progress[i], progress[i + 1])
  end
end
return {published, redis.call('HGETALL', KEYS[2])}

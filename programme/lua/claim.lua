-- Changes claims that are still what the caller has read.
-- KEYS[1]  HASH occurrence → claim
-- ARGV     of each occurrence: its name, the claim that was read, the claim that it is to be
-- RETURNS  of each occurrence the claim that it has now; empty: none

local held = {}
for i = 1, #ARGV, 3 do
  local now = redis.call('HGET', KEYS[1], ARGV[i]) or ''
  if now == ARGV[i + 1] then
    now = ARGV[i + 2]
    if now == '' then
      redis.call('HDEL', KEYS[1], ARGV[i])
    else
      redis.call('HSET', KEYS[1], ARGV[i], now)
    end
  end
  held[#held + 1] = now
end
return held

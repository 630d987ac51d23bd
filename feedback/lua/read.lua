-- Reads what a session's figures are made of, and what waits to be shown in them: all of one moment.
-- KEYS[1]  hash of receipt hash → "revision row"
-- KEYS[2]  zset of receipt hash: answers that differ from what is shown of them
-- KEYS[3]  hash of receipt hash → row as it is shown
-- KEYS[4]  hash of cell → count of the rows in KEYS[3] and KEYS[5]
-- KEYS[5]  hash of id → {segment, stay, cells}: deleted answers that KEYS[4] still counts
-- KEYS[6]  hash of cell → count of the rows in KEYS[1]
-- ARGV[1]  the cell of the respondents
-- ARGV[2]  how many of the answers that wait are read at most
-- RETURNS  {respondents, KEYS[4], KEYS[5], how many answers wait, and, unless they are more than that, for each of them its
--          receipt hash, its field in KEYS[1] and that in KEYS[3]}; hashes as fields and values, what is not there is empty
-- Invariant: nothing is written.

local waiting = redis.call('ZCARD', KEYS[2])
local answers = {}
if waiting > 0 and waiting <= tonumber(ARGV[2]) then
  local hashes = redis.call('ZRANGE', KEYS[2], 0, -1)
  local rows, shown = redis.call('HMGET', KEYS[1], unpack(hashes)), redis.call('HMGET', KEYS[3], unpack(hashes))
  for i, hash in ipairs(hashes) do
    answers[#answers + 1] = {hash, rows[i] or '', shown[i] or ''}
  end
end
return {
  redis.call('HGET', KEYS[6], ARGV[1]) or '', redis.call('HGETALL', KEYS[4]), redis.call('HGETALL', KEYS[5]), waiting, answers,
}

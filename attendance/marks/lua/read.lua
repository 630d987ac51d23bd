-- Reads what has changed of a session since it was read last, all of one moment.
--
-- KEYS   1 counts  2 log  3 occurrences  4 declared
-- ARGV   1 epoch  2 rev  3 bytes of the log: as they were read last
-- RETURN counts and declared; and if the counts have changed, from where, and then from there on the log, and the occurrences. The log is
--        read from its start if it is another one, or what was read last is not there any more.

local counts, declared = redis.call('GET', KEYS[1]), redis.call('GET', KEYS[4])
if not counts then return {counts, declared} end
local epoch, rev = string.match(counts, '^(%-?%d+) (%-?%d+) ')
if epoch == ARGV[1] and rev == ARGV[2] then return {counts, declared} end
local from = 0
if epoch == ARGV[1] and tonumber(rev) > tonumber(ARGV[2]) then from = tonumber(ARGV[3]) end
return {counts, declared, from, redis.call('GETRANGE', KEYS[2], from, -1), redis.call('HGETALL', KEYS[3])}

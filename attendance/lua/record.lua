-- Adds one mark to a session's set and corrects every derived count in the same call.
--
-- KEYS   1 counts  2 occurrences  3 connections  4 people  5 labels  6 deltas  7 curve  8 tree   (keys.go says what they hold)
-- ARGV   1 kind  2 room  3 occurrence  4 connection or ''  5 person or ''  6 at (ms)  7 peer or ''  8 seconds
-- RETURN 'recorded', or 'duplicate' when the set held the mark already
--
-- Invariant: counts, curve and tree are functions of (occurrences, connections, people) alone; marks.go and count.go are that function.
--
-- How an end costs nothing: persons are counted by the visits *before* these are cut at the end of an occurrence. At each moment a
-- person is inside some set of occurrences, the label ("1", "1,2"); `deltas` counts the persons under each label by millisecond.
-- The curve shows a label's persons until the latest end of its occurrences. So when an end comes, or moves, only labels are
-- shifted, never persons: present is right at once, however full the hall.

local COUNTS, OCCS, CONNS, PEOPLE, LABELS, DELTAS, CURVE, TREE = unpack(KEYS)
local kind, room, occ, conn, person = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local at, peer, seconds = tonumber(ARGV[6]), ARGV[7], tonumber(ARGV[8])
local floor, call = math.floor, redis.call

local function int(n) return string.format('%d', n) end

-- counts ---------------------------------------------------------------------------------------------------------

local NAMES = {'rev', 'base', 'last', 'occurrences', 'live', 'started', 'ended', 'present', 'connections', 'open_moment',
  'watch', 'filled', 'unique', 'measured', 'registered', 'registered_seen', 'replayed', 'reported', 'reported_watch',
  'anomalies', 'peak', 'peak_at', 'tail', 'tail_by', 'level', 'root', 'root_sum', 'root_max', 'root_at'}
local c, before = {}, {}
for i, v in ipairs(call('HMGET', COUNTS, unpack(NAMES))) do
  c[NAMES[i]] = tonumber(v or 0)
  before[i] = v and c[NAMES[i]]
end
if not before[2] then c.base = at end -- moments are sums of (time - base), small enough for a double

local function finish()
  c.rev = c.rev + 1
  local set = {}
  for i, name in ipairs(NAMES) do
    if c[name] ~= before[i] then set[#set + 1] = name; set[#set + 1] = int(c[name]) end
  end
  call('HSET', COUNTS, unpack(set))
  return 'recorded'
end

-- people: "connections;flags;reported"; flags: r registered, p watched the replay; reported: the platform's totals "occurrence=ms" ---

local function read_person(raw)
  if not raw then return {list = '', flags = '', reported = ''} end
  local list, flags, reported = string.match(raw, '^([^;]*);([^;]*);([^;]*)$')
  return {list = list, flags = flags, reported = reported}
end

local function has(p, flag) return string.find(p.flags, flag, 1, true) ~= nil end

-- person_counts adds, sign times, one person to the counts that do not depend on time. `filled` is the platform's totals of persons
-- without a visit.
local function person_counts(p, sign)
  local seen = p.list ~= '' or p.reported ~= ''
  if seen then c.unique = c.unique + sign end
  if p.list ~= '' then c.measured = c.measured + sign end
  if has(p, 'r') then
    c.registered = c.registered + sign
    if seen then c.registered_seen = c.registered_seen + sign end
  end
  if has(p, 'p') then c.replayed = c.replayed + sign end
  if p.reported == '' then return end
  local total = 0
  for ms in string.gmatch(p.reported, '=(%d+)') do total = total + tonumber(ms) end
  c.reported, c.reported_watch = c.reported + sign, c.reported_watch + sign * total
  if p.list == '' then c.filled = c.filled + sign * total end
end

local function write_person(id, old, new)
  person_counts(old, -1)
  person_counts(new, 1)
  call('HSET', PEOPLE, id, new.list .. ';' .. new.flags .. ';' .. new.reported)
end

local FLAG = {registered = 'r', replayed = 'p'}

if kind == 'registered' or kind == 'attended' or kind == 'replayed' then
  local old = read_person(call('HGET', PEOPLE, person))
  local new = {list = old.list, flags = old.flags, reported = old.reported}
  if FLAG[kind] then
    if has(old, FLAG[kind]) then return 'duplicate' end
    new.flags = old.flags .. FLAG[kind]
  else
    local totals, kept = {}, int(seconds * 1000)
    for o, ms in string.gmatch(old.reported, '([^=,]*)=(%d+)') do
      if o == occ then if tonumber(ms) > tonumber(kept) then kept = ms end else totals[#totals + 1] = o .. '=' .. ms end
    end
    totals[#totals + 1] = occ .. '=' .. kept
    table.sort(totals)
    new.reported = table.concat(totals, ',')
    if new.reported == old.reported then return 'duplicate' end
  end
  write_person(person, old, new)
  return finish()
end

-- occurrences: "number|room|start|stop|close|open connections"; stop and close empty while there is none ------------------

local by_id, by_number = {}, {}
do
  local raw = call('HGETALL', OCCS)
  for i = 1, #raw, 2 do
    local n, r, start, stop, close, opens = string.match(raw[i + 1], '^(%d+)|([^|]*)|(%-?%d+)|(%-?%d*)|(%-?%d*)|(%d+)$')
    local o = {id = raw[i], n = n, room = r, start = tonumber(start), stop = tonumber(stop), close = tonumber(close), open = tonumber(opens)}
    by_id[o.id], by_number[n] = o, o
  end
end

local function write_occurrence(o)
  call('HSET', OCCS, o.id, o.n .. '|' .. o.room .. '|' .. int(o.start) .. '|' .. (o.stop and int(o.stop) or '') .. '|' ..
    (o.close and int(o.close) or '') .. '|' .. int(o.open))
end

-- end_of is a label's end: the latest of its occurrences, nil while one of them is open.
local function end_of(label)
  local latest
  for n in string.gmatch(label, '%d+') do
    local close = by_number[n].close
    if not close then return nil end
    if not latest or close > latest then latest = close end
  end
  return latest
end

-- touch: the occurrence was seen at this time.
local o, touched = by_id[occ], false
if not o then
  c.occurrences = c.occurrences + 1
  o = {id = occ, n = int(c.occurrences), room = room, start = at, open = 0}
  by_id[occ], by_number[o.n] = o, o
  touched = true
end
if at < o.start then o.start = at; touched = true end
if kind == 'ended' and (not o.stop or at > o.stop) then o.stop = at; touched = true end
local recorded = touched or at > c.last
if at > c.last then c.last = at end

-- the curve and its peak: a binary tree over seconds; a node is the "sum,max,at" of the changes below it: their sum, their
-- highest running sum, and its earliest second ---------------------------------------------------------------------------

local function combine(a, b) -- a lies before b; nil is empty
  if not a then return b end
  if not b then return a end
  if a[1] + b[2] > a[2] then return {a[1] + b[1], a[1] + b[2], b[3]} end
  return {a[1] + b[1], a[2], a[3]}
end

local function read_node(raw)
  if not raw then return nil end
  local sum, max, where = string.match(raw, '^(%-?%d+),(%-?%d+),(%d+)$')
  return {tonumber(sum), tonumber(max), tonumber(where)}
end

local function sibling(i) if i % 2 == 0 then return i + 1 end return i - 1 end

-- grow raises the root until it spans the second. A parent of one child is that child.
local function grow(second)
  if c.level == 0 then c.level, c.root = 1, floor(second / 2) end
  local top
  while floor(second / 2 ^ c.level) ~= c.root do
    top = top or call('HGET', TREE, int(c.level) .. ':' .. int(c.root))
    c.level, c.root = c.level + 1, floor(c.root / 2)
    if top then call('HSET', TREE, int(c.level) .. ':' .. int(c.root), top) end
  end
end

-- insert gives the leaf at a second its value and corrects the nodes above it.
local function insert(second, v)
  grow(second)
  local fields = {}
  for l = 1, c.level - 1 do fields[l] = int(l) .. ':' .. int(sibling(floor(second / 2 ^ l))) end
  local siblings = c.level > 1 and call('HMGET', TREE, unpack(fields)) or {}
  local here, beside = v ~= 0 and {v, v, second} or nil, nil
  if sibling(second) ~= c.tail then
    local other = tonumber(call('HGET', CURVE, int(sibling(second))) or 0)
    if other ~= 0 then beside = {other, other, sibling(second)} end
  end
  local set, gone, i = {}, {}, second
  for l = 1, c.level do
    if i % 2 == 0 then here = combine(here, beside) else here = combine(beside, here) end
    i = floor(i / 2)
    local field = int(l) .. ':' .. int(i)
    if here then
      set[#set + 1] = field
      set[#set + 1] = int(here[1]) .. ',' .. int(here[2]) .. ',' .. int(here[3])
    else
      gone[#gone + 1] = field
    end
    beside = read_node(siblings[l])
  end
  if #set > 0 then call('HSET', TREE, unpack(set)) end
  if #gone > 0 then call('HDEL', TREE, unpack(gone)) end
  c.root_sum, c.root_max, c.root_at = 0, 0, 0
  if here then c.root_sum, c.root_max, c.root_at = here[1], here[2], here[3] end
end

-- change adds to the curve at a second and finds the peak again. The curve's last second, where the many events of a live session
-- fall, is kept out of the tree, beside the root.
local function change(second, by)
  local v = call('HINCRBY', CURVE, int(second), int(by))
  if v == 0 then call('HDEL', CURVE, int(second)) end
  if second > c.tail then
    local last, value = c.tail, c.tail_by
    c.tail, c.tail_by = second, v
    if value ~= 0 then insert(last, value) end
  elseif second == c.tail then
    c.tail_by = v
  else
    insert(second, v)
  end
  c.peak, c.peak_at = 0, 0
  if c.root_max > 0 then c.peak, c.peak_at = c.root_max, c.root_at end
  if c.root_sum + c.tail_by > c.peak then c.peak, c.peak_at = c.root_sum + c.tail_by, c.tail end
end

local curve = {} -- changes of the curve by second, gathered first so that changes that cancel out cost nothing
local function later(ms, by)
  local second = floor(ms / 1000)
  curve[second] = (curve[second] or 0) + by
end

-- labels: "persons|moment|last|watch" -----------------------------------------------------------------------------------
-- persons: sum of deltas; moment: sum of delta × (time − base); last: latest time that ever had a delta; watch: ms before
-- the label's end, 0 while it has none.

local function read_label(raw)
  if not raw then return {n = 0, moment = 0, last = 0, watch = 0} end
  local n, moment, last, watch = string.match(raw, '^(%-?%d+)|(%-?%d+)|(%d+)|(%-?%d+)$')
  return {n = tonumber(n), moment = tonumber(moment), last = tonumber(last), watch = tonumber(watch)}
end

local function write_label(name, l)
  call('HSET', LABELS, name, int(l.n) .. '|' .. int(l.moment) .. '|' .. int(l.last) .. '|' .. int(l.watch))
end

-- deltas gathered: change of persons by "label:ms".
local deltas = {}
local function delta(label, ms, by)
  local field = label .. ':' .. int(ms)
  deltas[field] = (deltas[field] or 0) + by
end

-- settle writes the gathered deltas, the labels' sums, and the curve.
local function settle()
  local labels = {}
  for field, by in pairs(deltas) do
    if by ~= 0 then
      if call('HINCRBY', DELTAS, field, int(by)) == 0 then call('HDEL', DELTAS, field) end
      local name, ms = string.match(field, '^(.*):(%d+)$')
      ms = tonumber(ms)
      local l = labels[name]
      if not l then l = read_label(call('HGET', LABELS, name)); l.stop = end_of(name); labels[name] = l end
      l.n, l.moment = l.n + by, l.moment + by * (ms - c.base)
      if ms > l.last then l.last = ms end
      local stop = l.stop
      if not stop then
        c.present, c.open_moment = c.present + by, c.open_moment + by * (ms - c.base)
        later(ms, by)
      else
        if ms < stop then l.watch, c.watch = l.watch + by * (stop - ms), c.watch + by * (stop - ms) end
        if floor(ms / 1000) < floor(stop / 1000) then later(ms, by); later(stop, -by) end
      end
    end
  end
  for name, l in pairs(labels) do write_label(name, l) end
  for second, by in pairs(curve) do if by ~= 0 then change(second, by) end end
end

-- leave writes what the mark changed and answers.
local function leave()
  settle()
  if touched then
    write_occurrence(o)
    c.live, c.started, c.ended = 0, o.start, 0
    for _, x in pairs(by_id) do
      if x.start < c.started then c.started = x.start end
      if not x.close then c.live = c.live + 1 elseif x.close > c.ended then c.ended = x.close end
    end
  end
  return finish()
end

-- opened counts connections that opened (or, negative, closed).
local function opened(by)
  if by == 0 then return end
  touched = true
  o.open = o.open + by
  if not o.close then c.connections = c.connections + by end
end

-- The fast path: a person's first join, and the leave of the only open visit, in an occurrence whose end does not move. One
-- delta, no union. The rest of this file is for everything else. ------------------------------------------------------------

local key = occ .. '.' .. (conn ~= '' and conn or '@' .. person)

local function fast()
  local raw = call('HGET', CONNS, key)
  if kind == 'joined' and not raw then
    local id = person ~= '' and person or '~' .. key
    local p = read_person(call('HGET', PEOPLE, id))
    if p.list ~= '' then return false end
    call('HSET', CONNS, key, id .. ';' .. ARGV[6] .. '=' .. person .. ';;')
    write_person(id, p, {list = key, flags = p.flags, reported = p.reported})
    delta(o.n, at, 1)
    opened(1)
    return true
  end
  if kind == 'left' and raw then
    local owner, joined = string.match(raw, '^([^;]*);(%d+)=[^,;]*;;$') -- one join, no leave, no peer
    if not owner or tonumber(joined) >= at then return false end
    if read_person(call('HGET', PEOPLE, owner)).list ~= key then return false end
    call('HSET', CONNS, key, string.sub(raw, 1, -2) .. ARGV[6] .. ';')
    delta(o.n, at, -1)
    opened(-1)
    return true
  end
  return false
end

if not touched and fast() then return leave() end

-- ends ------------------------------------------------------------------------------------------------------------------

-- tail is what a label's deltas at or after the second of `from` are; empty, and not looked for, in the usual case.
local scanned
local function tail(name, l, from)
  if l.last < floor(from / 1000) * 1000 then return {} end
  if not scanned then
    scanned = {}
    local raw = call('HGETALL', DELTAS)
    for i = 1, #raw, 2 do
      local label, ms = string.match(raw[i], '^(.*):(%d+)$')
      scanned[label] = scanned[label] or {}
      table.insert(scanned[label], {tonumber(ms), tonumber(raw[i + 1])})
    end
  end
  local out, first = {}, floor(from / 1000) * 1000
  for _, d in ipairs(scanned[name] or {}) do if d[1] >= first then out[#out + 1] = d end end
  return out
end

-- weigh adds (sign 1) or takes away (sign -1) what a label contributes to curve, watch and present when it ends at stop.
-- Deltas before the second `from` stay as they are in the curve: they are shown under either end.
local function weigh(name, l, stop, sign, from)
  local beyond = tail(name, l, from)
  if not stop then
    c.present = c.present + sign * l.n
    c.open_moment = c.open_moment + sign * l.moment
    for _, d in ipairs(beyond) do later(d[1], sign * d[2]) end
    l.watch = 0
    return
  end
  local inside, watch = l.n, l.n * (stop - c.base) - l.moment
  for _, d in ipairs(beyond) do
    if floor(d[1] / 1000) < floor(stop / 1000) then
      later(d[1], sign * d[2])
    else
      inside = inside - d[2]
    end
    if d[1] >= stop then watch = watch - d[2] * (stop - d[1]) end
  end
  later(stop, -sign * inside)
  l.watch = watch
  c.watch = c.watch + sign * watch
end

-- reclose gives the occurrences of a room their ends after a mark moved one, and shifts the labels that contain them.
local function reclose()
  local ends, any, same = {}, false, {}
  for _, x in pairs(by_id) do if x.room == room then same[#same + 1] = x end end
  table.sort(same, function(a, b) return a.start > b.start end)
  local later_start, at_start -- the smallest start after the one being looked at; the starts equal to it
  for _, x in ipairs(same) do
    if at_start and x.start < at_start then later_start = at_start end
    at_start = x.start
    local stop = x.stop or later_start
    if stop ~= x.close then ends[x] = {stop}; any = true end
  end
  if not any then return end
  local raw, old = call('HGETALL', LABELS), {}
  for i = 1, #raw, 2 do old[raw[i]] = {end_of(raw[i])} end
  for o, new in pairs(ends) do
    if o.close == nil then c.connections = c.connections - o.open end
    o.close = new[1]
    if o.close == nil then c.connections = c.connections + o.open end
    write_occurrence(o)
  end
  for i = 1, #raw, 2 do
    local name, l = raw[i], read_label(raw[i + 1])
    local was, is = old[name][1], end_of(name)
    if was ~= is then
      local from = math.min(was or is, is or was)
      weigh(name, l, was, -1, from)
      weigh(name, l, is, 1, from)
      write_label(name, l)
    end
  end
end

-- connections: "owner;joins;leaves;peers", joins "ms=person" ----------------------------------------------------------------

local function read_connection(raw)
  local r = {owner = '', joins = {}, leaves = {}, peers = {}}
  if not raw then return r end
  local owner, joins, leaves, peers = string.match(raw, '^([^;]*);([^;]*);([^;]*);([^;]*)$')
  r.owner = owner
  for ms, p in string.gmatch(joins, '(%d+)=([^,]*)') do r.joins[#r.joins + 1] = {tonumber(ms), p} end
  for ms in string.gmatch(leaves, '%d+') do r.leaves[#r.leaves + 1] = tonumber(ms) end
  for key in string.gmatch(peers, '[^,]+') do r.peers[#r.peers + 1] = key end
  return r
end

local function write_connection(key, r)
  local joins, leaves = {}, {}
  for i, j in ipairs(r.joins) do joins[i] = int(j[1]) .. '=' .. j[2] end
  for i, ms in ipairs(r.leaves) do leaves[i] = int(ms) end
  call('HSET', CONNS, key, r.owner .. ';' .. table.concat(joins, ',') .. ';' .. table.concat(leaves, ',') .. ';' .. table.concat(r.peers, ','))
end

local function native(k) return not string.find(k, '.@', 1, true) end -- the platform named the connection

-- visits lists {start, end or nil} of one connection, before any cut.
local function visits(key, r)
  if #r.joins == 0 then return {} end
  if native(key) then
    local first, last
    for _, j in ipairs(r.joins) do if not first or j[1] < first then first = j[1] end end
    for _, ms in ipairs(r.leaves) do if not last or ms > last then last = ms end end
    if last and last < first then last = first end
    return {{first, last}}
  end
  local all, out, inside = {}, {}, false
  for _, j in ipairs(r.joins) do all[#all + 1] = {j[1], 1} end
  for _, ms in ipairs(r.leaves) do all[#all + 1] = {ms, 0} end
  table.sort(all, function(a, b) if a[1] ~= b[1] then return a[1] < b[1] end return a[2] < b[2] end)
  for _, m in ipairs(all) do
    if m[2] == 1 and not inside then out[#out + 1] = {m[1]}; inside = true
    elseif m[2] == 0 and inside then out[#out][2] = m[1]; inside = false end
  end
  return out
end

local function is_open(key, r)
  local v = visits(key, r)
  return #v > 0 and v[#v][2] == nil
end

-- presence adds, sign times, the labels that a person with these connections passes through.
local function presence(list, records, sign)
  local steps = {}
  for key in string.gmatch(list, '[^,]+') do
    local n = tonumber(by_id[string.match(key, '^[^.]*')].n)
    for _, v in ipairs(visits(key, records[key])) do
      steps[#steps + 1] = {v[1], n, 1}
      if v[2] then steps[#steps + 1] = {v[2], n, -1} end
    end
  end
  table.sort(steps, function(a, b) return a[1] < b[1] end)
  local inside, label, i = {}, '', 1
  while i <= #steps do
    local ms = steps[i][1]
    while steps[i] and steps[i][1] == ms do
      inside[steps[i][2]] = (inside[steps[i][2]] or 0) + steps[i][3]
      i = i + 1
    end
    local numbers = {}
    for n, count in pairs(inside) do if count > 0 then numbers[#numbers + 1] = n end end
    table.sort(numbers)
    local now = table.concat(numbers, ',')
    if now ~= label then
      if label ~= '' then delta(label, ms, -sign) end
      if now ~= '' then delta(now, ms, sign) end
      label = now
    end
  end
end

-- owner_of: the person whom the earliest join of these connections names, else the first connection that has a join.
local function owner_of(members, records)
  local best, smallest
  for _, key in ipairs(members) do
    for _, j in ipairs(records[key].joins) do
      if not smallest or key < smallest then smallest = key end
      if j[2] ~= '' and (not best or j[1] < best[1] or (j[1] == best[1] and j[2] < best[2])) then best = j end
    end
  end
  if best then return best[2] end
  return smallest and '~' .. smallest or ''
end

local function without(list, key)
  local kept = {}
  for k in string.gmatch(list, '[^,]+') do if k ~= key then kept[#kept + 1] = k end end
  return table.concat(kept, ',')
end

local function copy(r)
  local n = {owner = r.owner, joins = {}, leaves = {}, peers = {}}
  for i, v in ipairs(r.joins) do n.joins[i] = v end
  for i, v in ipairs(r.leaves) do n.leaves[i] = v end
  for i, v in ipairs(r.peers) do n.peers[i] = v end
  return n
end

-- add puts the mark into a connection's record; false if it was there.
local function add(r)
  local marks, mark = r.joins, {at, person}
  if kind == 'left' then marks, mark = r.leaves, at end
  if kind == 'bound' then marks, mark = r.peers, occ .. '.' .. peer end
  for _, m in ipairs(marks) do
    if m == mark or (kind == 'joined' and m[1] == at and m[2] == person) then return false end
  end
  marks[#marks + 1] = mark
  return true
end

-- The sets before and after the mark; records are read once.
local was, is = {}, {}
local function load(key)
  if not is[key] then
    was[key] = read_connection(call('HGET', CONNS, key))
    is[key] = copy(was[key])
  end
  return is[key]
end

local function write_owner(members)
  local owner = owner_of(members, is)
  local people = {} -- by id: {old, new}
  local function fetch(id)
    if id ~= '' and not people[id] then
      local raw = call('HGET', PEOPLE, id)
      people[id] = {read_person(raw), read_person(raw)}
    end
    return people[id]
  end
  fetch(owner)
  for _, key in ipairs(members) do
    local r = is[key]
    fetch(r.owner)
    if #r.joins > 0 and r.owner ~= owner then
      if r.owner ~= '' then people[r.owner][2].list = without(people[r.owner][2].list, key) end
      local new = people[owner][2]
      new.list = new.list == '' and key or new.list .. ',' .. key
      r.owner = owner
    end
  end
  for id, p in pairs(people) do
    for key in string.gmatch(p[1].list .. ',' .. p[2].list, '[^,]+') do load(key) end
    presence(p[1].list, was, -1)
    presence(p[2].list, is, 1)
    if p[1].list ~= p[2].list then write_person(id, p[1], p[2]) end
  end
end

-- component lists the connections that binds tie to this one, itself first.
local function component(key)
  local members, seen, i = {key}, {[key] = true}, 1
  while members[i] do
    for _, p in ipairs(load(members[i]).peers) do
      if not seen[p] then seen[p] = true; members[#members + 1] = p end
    end
    i = i + 1
  end
  return members
end

-- mark adds a join, a leave or a bind; false when the set held it.
local function mark()
  local r = load(key)
  if not add(r) then return false end
  if kind == 'bound' then
    local back = load(occ .. '.' .. peer)
    back.peers[#back.peers + 1] = key
  end
  local old = was[key]
  opened((is_open(key, r) and 1 or 0) - (is_open(key, old) and 1 or 0))
  if native(key) then
    if #r.leaves > 0 and #r.joins == 0 then c.anomalies = c.anomalies + 1 end
    if #old.leaves > 0 and #old.joins == 0 then c.anomalies = c.anomalies - 1 end
  end
  local members = component(key)
  write_owner(members)
  for _, k in ipairs(members) do write_connection(k, is[k]) end
  return true
end

if touched then reclose() end
if (kind == 'joined' or kind == 'left' or kind == 'bound') and mark() then recorded = true end
if not recorded then return 'duplicate' end
return leave()

-- Adds marks to a session's set and corrects every derived count in the same call.
--
-- KEYS   1 counts  2 occurrences  3 connections  4 people  5 labels  6 log  7 guests   (keys.go says what they hold)
-- ARGV   1 n, the number of marks   2 three characters a mark: its kind, and the place of its occurrence (hex)   3 a number unlike those of
--        other calls   4 m, the number of occurrences, then of each its room and id (of a nameless one with a slash at the end); then n
--        connections or '', n persons or '', n times (ms), and n extras: the peer of a bind, the ms of a total, the name of a guest, the id
--        of somebody who is known by an address, or ''
-- RETURN a character a mark: r recorded, d duplicate (the set held it), s of staff, t too many marks of one kind: it is not in the set
--
-- Kinds  j joined  l left  b bound  s started  e ended  r registered  p replayed  a attended  i same (extra is the person, too);
--        of staff: J joined  L left  B bound  P registered, replayed or attended
--
-- Invariant: counts, labels and log are functions of (occurrences, connections, people) alone; marks.go and count.go are that
-- function. Marks are put into tables first; what they changed is then counted once: each changed person as they were (-1) and as they
-- are (+1), and each label whose end moved.
--
-- How an end costs nothing: persons are counted by the visits *before* these are cut at the end of an opening. At each moment a person
-- is inside some set of openings, the label ("1", "1,2"); the log has the changes of persons under each label by millisecond. The curve,
-- which is made of the log when somebody looks (curve.go), shows a label's persons until the latest end of its openings. So when an end
-- comes, or moves, only labels are shifted, never persons: present is right at once, however full the hall.

local COUNTS, OCCS, CONNS, PEOPLE, LABELS, LOG, GUESTS = unpack(KEYS)
local call, match, gmatch, find, sub = redis.call, string.match, string.gmatch, string.find, string.sub
local N, CODES, M = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[4])
local OCC, CONN = 4, 4 + 2 * M
local PERSON, TIME, EXTRA = CONN + N, CONN + 2 * N, CONN + 3 * N

-- The work that one odd sender can cause is bounded.
local MAX_OPENINGS = 250 -- of a session
local MAX_MARKS = 500    -- of a person
local MAX_TOUCHES = 500  -- of a nameless occurrence
local MAX_BOUND = 50     -- connections that binds tie together
local MAX_STEPS = 1000   -- from an id to the person whose it is

local function int(n) return string.format('%d', n) end

-- counts ---------------------------------------------------------------------------------------------------------

local NAMES = {'epoch', 'rev', 'base', 'last', 'occurrences', 'live', 'started', 'ended', 'present', 'connections', 'open_moment',
  'watch', 'filled', 'unique', 'known', 'names', 'leaving', 'measured', 'registered', 'registered_seen', 'replayed', 'reported', 'reported_watch'}
local c = {}
do
  local i = 0
  for n in gmatch(call('GET', COUNTS) or '', '%S+') do i = i + 1; c[NAMES[i]] = tonumber(n) end
  for j = i + 1, #NAMES do c[NAMES[j]] = 0 end
end
if c.rev == 0 then c.epoch = tonumber(ARGV[3]) end -- what others remember of the log is of another one
for i = 1, N do -- times are kept as distances from the first
  if c.base ~= 0 then break end
  c.base = tonumber(ARGV[TIME + i])
end
local base = c.base

-- occurrences: "room|touches|number,start,stop,close,open|…", an opening after the other; start is empty where nothing has opened it,
-- stop and close while there is none; touches are the times at which something beside the audience opened a nameless one ------------

local by_id, by_number = {}, {}

local function join_list(list) return tostring(table.concat(list, ',')) end

do
  local raw = call('HGETALL', OCCS)
  for i = 1, #raw, 2 do
    local room, touches, list = match(raw[i + 1], '^([^|]*)|([^|]*)|(.*)$')
    local o = {id = raw[i], room = room, nameless = sub(raw[i], -1) == '/', touches = {}, list = {}}
    for at in gmatch(touches, '%d+') do o.touches[#o.touches + 1] = tonumber(at) end
    for n, start, stop, close, open in gmatch(list, '(%d+),(%d*),(%d*),(%d*),(%d+)') do
      local p = {n = n, o = o, start = tonumber(start), stop = tonumber(stop), close = tonumber(close), open = tonumber(open)}
      p.was, o.list[#o.list + 1], by_number[n] = p.close, p, p
    end
    by_id[o.id] = o
  end
end

local function write_occurrence(o)
  local out = {}
  for i, p in ipairs(o.list) do
    out[i] = p.n .. ',' .. (p.start and int(p.start) or '') .. ',' .. (p.stop and int(p.stop) or '') .. ',' ..
      (p.close and int(p.close) or '') .. ',' .. int(p.open)
  end
  return o.room .. '|' .. join_list(o.touches) .. '|' .. table.concat(out, '|')
end

local function new_opening(o, stop)
  c.occurrences = c.occurrences + 1
  local p = {n = int(c.occurrences), o = o, stop = stop, open = 0}
  by_number[p.n] = p
  return p
end

local moved = {} -- rooms in which a start or a stop has moved
local function change_end(o) o.dirty = true; moved[o.room] = true end

-- place is the opening that a mark belongs to. At the time of an end, what opens the room belongs to the next.
local function place(list, at, opens)
  for i = 1, #list - 1 do
    local stop = list[i].stop
    if at < stop or (at == stop and not opens) then return list[i], i end
  end
  return list[#list], #list
end

-- touch: the occurrence was seen at this time. True if that is news.
local function touch(o, at, opens)
  local news = at > c.last
  if news then c.last = at end
  local first = o.list[1]
  local p = o.nameless and place(o.list, at, opens) or first
  if (opens or p == first) and (not p.start or at < p.start) then
    p.start = at
    change_end(o)
    news = true
  end
  return news
end

-- connections: "owner", or "owner;number;peer,peer" of one that is bound to others in the occurrence of that number; the marks are with the owner. people: "connections;flags;reported;name", empty fields at the end left
-- out, or "=person": whoever has this id is that person. connections: "number.connection", or of the first occurrence "connection", with its marks, >join, <leave, ! of staff; a mark that names
-- another person than the owner has =person behind it; what names no connection is of the connection @. flags: r registered, p watched the replay, s staff. reported: the platform's totals,
-- "occurrence=ms". The owner of a connection that nobody is named for is ~connection ---------------------------------------------

-- Tables of columns, and not of records: a script of hundreds of marks makes fewer tables that way.
-- owner, peers, index and was: of connections; owner nil: it was not read; was: as it is stored; changed: it has to be written.
-- stored, now, counted and tabs: of people; now: as text, until they are taken apart (tabs); counted: what the counts have of them.
local owner, peers, index, was, changed = {}, {}, {}, {}, {}
local stored, now, counted, tabs = {}, {}, {}, {}

local function read_connection(key, raw)
  was[key] = raw
  if not raw then
    owner[key] = ''
  elseif not find(raw, ';', 1, true) then
    owner[key] = raw
  else
    owner[key], index[key], peers[key] = match(raw, '^([^;]*);(%d+);(.*)$')
  end
end

local function read_person(id, raw)
  stored[id], now[id], counted[id] = raw, raw or '', raw or ''
end

do
  local raw, ids, wanted = N > 0 and call('HMGET', CONNS, unpack(ARGV, CONN + 1, CONN + N)) or {}, {}, {[''] = true}
  for i = 1, N do
    local key, person = ARGV[CONN + i], ARGV[PERSON + i]
    if key ~= '' then
      if not owner[key] then read_connection(key, raw[i]) end
      local id = owner[key]
      if not wanted[id] then wanted[id] = true; ids[#ids + 1] = id end
    end
    if not wanted[person] then wanted[person] = true; ids[#ids + 1] = person end
    if sub(CODES, 3 * i - 2, 3 * i - 2) == 'i' and not wanted[ARGV[EXTRA + i]] then
      wanted[ARGV[EXTRA + i]] = true
      ids[#ids + 1] = ARGV[EXTRA + i]
    end
  end
  if #ids > 0 then
    for i, value in ipairs(call('HMGET', PEOPLE, unpack(ids))) do read_person(ids[i], value) end
  end
end

-- person_of reads a person unless that was done. The owner of a connection that is new and names nobody is new, too.
local function person_of(id, new)
  if not now[id] then read_person(id, not new and call('HGET', PEOPLE, id)) end
end

-- who is the person that an id is of.
local function who(id)
  person_of(id)
  for _ = 1, MAX_STEPS do
    if sub(now[id], 1, 1) ~= '=' then break end
    id = sub(now[id], 2)
    person_of(id)
  end
  return id
end

local function owner_of(key)
  if not owner[key] then read_connection(key, call('HGET', CONNS, key)) end
  return owner[key]
end

local function unnamed(id) return sub(id, 1, 1) == '~' end
local function guest(id) local first = sub(id, 1, 1); return first == '*' or first == '~' end

local function key_in(n, key) return n == '1' and key or n .. '.' .. key end

local function parse(id, text)
  local list, flags, reported, name = match(text, '^([^;]*);?([^;]*);?([^;]*);?([^;]*)$')
  local t = {flags = flags, reported = reported, name = name, connections = {}, marks = 0}
  local me = unnamed(id) and '' or id
  for key, rest in gmatch(list, '([^,><!]+)([^,]*)') do
    local n, conn = match(key, '^(%d+)%.(.*)$')
    if not n then n, conn = '1', key end
    local x = {n = n, key = conn, staff = find(rest, '!', 1, true) ~= nil, marks = {}}
    for sign, at, who in gmatch(rest, '([><])(%-?%d+)(=?[^><!]*)') do
      x.marks[#x.marks + 1] = {at = tonumber(at) + base, join = sign == '>', person = who == '' and me or sub(who, 2)}
    end
    t.marks = t.marks + #x.marks
    t.connections[conn == '@' and '@' .. n or conn] = x
  end
  return t
end

-- names_joining says that a join of the connection names somebody: then nobody asks whom its leaves name.
local function names_joining(x)
  for _, m in ipairs(x.marks) do if m.join and m.person ~= '' then return true end end
  return false
end

local function text_of(id, t)
  local list, me = {}, unnamed(id) and '' or id
  for _, x in pairs(t.connections) do
    local out, joined, once = {key_in(x.n, x.key)}, names_joining(x), {}
    for _, m in ipairs(x.marks) do
      local plain = m.person == me or (joined and not m.join)
      local mark = (m.join and '>' or '<') .. int(m.at - base) .. (plain and '' or '=' .. m.person)
      if not once[mark] then out[#out + 1], once[mark] = mark, true end
    end
    if x.staff then out[#out + 1] = '!' end
    list[#list + 1] = table.concat(out)
  end
  table.sort(list)
  local text = table.concat(list, ',') .. ';' .. t.flags .. ';' .. t.reported .. ';' .. t.name
  return match(text, '^(.-);*$')
end

-- taken gives a person as a table; from then on they are counted anew.
local function taken(id)
  person_of(id)
  local t = tabs[id]
  if not t then t = parse(id, now[id]); tabs[id] = t end
  return t
end

local function is_staff(t)
  if find(t.flags, 's', 1, true) then return true end
  for _, x in pairs(t.connections) do if x.staff then return true end end
  return false
end

-- what marks change --------------------------------------------------------------------------------------------------------

local deltas = {} -- label → ms → change of persons
local function delta(label, ms, by)
  local d = deltas[label]
  if not d then d = {}; deltas[label] = d end
  d[ms] = (d[ms] or 0) + by
end

-- opened counts connections that opened (or, negative, closed).
local function opened(p, by)
  p.open = p.open + by
  p.o.dirty = true
end

local shown = {} -- change of how many guests have a name
local function show(name, by) if name ~= '' then shown[name] = (shown[name] or 0) + by end end

-- seen_person counts, sign times, a person who has a visit or a total; joined: a visit.
local function seen_person(id, t, sign, joined)
  c.unique = c.unique + sign
  if joined then c.measured = c.measured + sign end
  if guest(id) then show(t.name, sign) else c.known = c.known + sign end
  if find(t.flags, 'r', 1, true) then c.registered_seen = c.registered_seen + sign end
end

-- The fast paths: a person's first join, the leave of the only open visit, either of the two after the other, or once more, in a
-- named occurrence. No person is taken apart. A result, or nil: the rest of this file is for everything else. ----------------------

local NOBODY = {flags = '', name = ''}
local PLAIN = {[''] = NOBODY, [';r'] = {flags = 'r', name = ''}}

-- split gives a person's connections, what is behind them, and the fields of that unless they need care.
local function split(text)
  local i = find(text, ';', 1, true)
  if not i then return text, '', NOBODY end
  local list, rest = sub(text, 1, i - 1), sub(text, i)
  if PLAIN[rest] then return list, rest, PLAIN[rest] end
  local flags, reported, name = match(rest, '^;([^;]*);?([^;]*);?([^;]*)')
  return list, rest, reported == '' and (flags == '' or flags == 'r') and {flags = flags, name = name} or nil
end

-- stay_of gives the only join and leave of a person's only connection, as text; nil where there are others.
local function stay_of(list, mine)
  local size = #mine
  if sub(list, 1, size) ~= mine then return end
  local sign = sub(list, size + 1, size + 1)
  if find(list, ',', size, true) or find(list, '=', size, true) or find(list, '!', size, true) or find(list, sign, size + 2, true) then return end
  local left = find(list, '<', size + 1, true)
  if sign == '>' then
    if not left then return sub(list, size + 2) end
    return sub(list, size + 2, left - 1), sub(list, left + 1)
  end
  if sign == '<' and not find(list, '>', size + 1, true) then return nil, sub(list, size + 2) end
end

local function fast_join(o, key, person, at, name)
  local p, id, of = o.list[1], person ~= '' and person or '~' .. key, owner[key]
  if peers[key] or (of ~= '' and of ~= id) then return end
  person_of(id, person == '' and not was[key])
  if tabs[id] or sub(now[id], 1, 1) == '=' then return end
  local list, rest, fields = split(now[id])
  if not fields then return end
  local mine, text = key_in(p.n, key), nil
  if of == '' then
    if list ~= '' then return end
    if name ~= '' then
      if rest ~= '' then return end
      fields, rest = {flags = '', name = name}, ';;;' .. name
    end
    owner[key], changed[key] = id, true
    text = mine .. '>' .. at - base .. rest
    delta(p.n, at, 1)
    opened(p, 1)
  else
    if name ~= '' and name ~= fields.name then return end
    local joined, left = stay_of(list, mine)
    if joined then return tonumber(joined) == at - base and 'd' or nil end
    if not left or tonumber(left) <= at - base then return end
    text = mine .. '>' .. at - base .. '<' .. left .. rest
    c.leaving = c.leaving - 1
    delta(p.n, at, 1)
    delta(p.n, tonumber(left) + base, -1)
  end
  now[id], counted[id] = text, text
  seen_person(id, fields, 1, true)
  return 'r'
end

local function fast_leave(o, key, person, at, name)
  local p, of = o.list[1], owner[key]
  local id = of ~= '' and of or person ~= '' and person or '~' .. key
  if peers[key] or (unnamed(id) and person ~= '') then return end
  person_of(id, of == '' and person == '' and not was[key])
  if tabs[id] or sub(now[id], 1, 1) == '=' then return end
  local list, rest, fields = split(now[id])
  if not fields then return end
  local mine, text = key_in(p.n, key), nil
  if of == '' then
    if list ~= '' or (name ~= '' and rest ~= '') then return end
    if name ~= '' then rest = ';;;' .. name end
    owner[key], changed[key] = id, true
    text = mine .. '<' .. at - base .. rest
    c.leaving = c.leaving + 1
  else
    if name ~= '' and name ~= fields.name then return end
    local joined, left = stay_of(list, mine)
    if not joined then return end
    if left then return tonumber(left) == at - base and 'd' or nil end
    if tonumber(joined) >= at - base then return end
    text = list .. '<' .. at - base .. rest
    delta(p.n, at, -1)
    opened(p, -1)
  end
  now[id], counted[id] = text, text
  return 'r'
end

-- everything else ------------------------------------------------------------------------------------------------------------

local function add_mark(t, x, at, join, person)
  local whoever = not join and names_joining(x)
  for _, m in ipairs(x.marks) do
    if m.at == at and m.join == join and (whoever or m.person == person) then return false end
  end
  x.marks[#x.marks + 1] = {at = at, join = join, person = person}
  t.marks = t.marks + 1
  return true
end

-- component lists the connections that binds tie to this one, itself first.
local function component(key)
  local members, known, i = {key}, {[key] = true}, 1
  while members[i] do
    owner_of(members[i])
    for peer in gmatch(peers[members[i]] or '', '[^,]+') do
      if not known[peer] then known[peer] = true; members[#members + 1] = peer end
    end
    i = i + 1
  end
  return members
end

local function sooner(best, m)
  return m.person ~= '' and (not best or m.at < best.at or (m.at == best.at and m.person < best.person))
end

-- settle_owner gives the connections that are bound together to the person whom their earliest join names, else their earliest leave,
-- else to the first of them. fresh is the connection that has no owner yet.
local function settle_owner(key, fresh)
  local members, all, join, leave, smallest = component(key), {}, nil, nil, nil
  for _, k in ipairs(members) do
    local of = owner_of(k)
    local x = k == key and fresh or (of ~= '' and taken(of).connections[k]) or nil
    if x then
      all[k] = x
      if not smallest or k < smallest then smallest = k end
      for _, m in ipairs(x.marks) do
        if m.join and sooner(join, m) then join = m end
        if not m.join and sooner(leave, m) then leave = m end
      end
    end
  end
  if not smallest then return '' end
  local id = join and who(join.person) or leave and who(leave.person) or '~' .. smallest
  local new = taken(id)
  for k, x in pairs(all) do
    if owner[k] ~= id then
      if owner[k] ~= '' then
        local old = taken(owner[k])
        old.connections[k], old.marks = nil, old.marks - #x.marks
      end
      new.connections[k], new.marks = x, new.marks + #x.marks
      owner[k], changed[k] = id, true
    end
  end
  return id
end

-- connection gives a connection with its owner's table; a new one has no owner yet.
local function connection(n, key)
  local of = owner_of(key)
  local t = of ~= '' and taken(of) or nil
  local x = t and t.connections[key]
  if x then return x, t end
  return {n = n, key = key, marks = {}}, {marks = 0}, true
end

-- result of a mark of a person's table.
local function result(t, news)
  if is_staff(t) then return news and 'S' or 's' end
  return news and 'r' or 'd'
end

-- stay adds a join or a leave.
local function stay(o, key, person, at, join, name)
  local n, t, news = o.list[1].n, nil, nil
  if key == '' then
    t = taken(who(person))
    if t.marks >= MAX_MARKS then return 't' end
    local x = t.connections['@' .. n]
    if not x then x = {n = n, key = '@', marks = {}}; t.connections['@' .. n] = x end
    news = add_mark(t, x, at, join, person)
  else
    local x, of, fresh = connection(n, key)
    if of.marks >= MAX_MARKS or (fresh and person ~= '' and taken(who(person)).marks >= MAX_MARKS) then return 't' end
    news = add_mark(of, x, at, join, person)
    t = taken(settle_owner(key, fresh and x))
  end
  if name ~= '' and guest(person) then
    local named = taken(person)
    if named.name == '' or name < named.name then named.name = name; news = true end
  end
  return result(t, news)
end

-- bind ties two connections together.
local function bind(o, key, peer)
  owner_of(key)
  if key == peer or find(',' .. (peers[key] or '') .. ',', ',' .. peer .. ',', 1, true) then return false end
  if #component(key) + #component(peer) > MAX_BOUND then return nil end
  for one, other in pairs({[key] = peer, [peer] = key}) do
    peers[one] = peers[one] and peers[one] .. ',' .. other or other
    index[one], changed[one] = o.list[1].n, true
  end
  settle_owner(key)
  return true
end

-- of_staff says that a person, or the owner of a connection, is staff.
local function of_staff(o, key, person)
  local news = false
  if person ~= '' then
    local t = taken(who(person))
    if not find(t.flags, 's', 1, true) then t.flags = t.flags .. 's'; news = true end
  end
  if key ~= '' and o then
    local x, _, fresh = connection(o.list[1].n, key)
    if not x.staff then
      x.staff, news = true, true
      settle_owner(key, fresh and x)
    end
  end
  return news
end

local FLAG = {r = 'r', p = 'p'}

-- of_person adds what is said of a person rather than of a stay.
local function of_person(kind, id, occ, total)
  local t = taken(who(id))
  if FLAG[kind] then
    if find(t.flags, FLAG[kind], 1, true) then return result(t, false) end
    t.flags = t.flags .. FLAG[kind]
    return result(t, true)
  end
  local totals, kept, size = {}, total, 0
  for o, ms in gmatch(t.reported, '([^=,]*)=(%d+)') do
    size = size + 1
    if o == occ then if tonumber(ms) > tonumber(kept) then kept = ms end else totals[#totals + 1] = o .. '=' .. ms end
  end
  if size >= MAX_OPENINGS then return 't' end
  totals[#totals + 1] = occ .. '=' .. kept
  table.sort(totals)
  local reported = table.concat(totals, ',')
  if reported == t.reported then return result(t, false) end
  t.reported = reported
  return result(t, true)
end

local function add_total(totals, occ, ms)
  totals[occ] = math.max(totals[occ] or 0, tonumber(ms))
end

-- merge makes one person of two; lose is an id from then on.
local merged = {}
local function merge(keep, lose)
  local to, from = taken(keep), taken(lose)
  for key, x in pairs(from.connections) do
    local known = to.connections[key]
    if known then -- marks that name no connection
      for _, m in ipairs(x.marks) do add_mark(to, known, m.at, m.join, m.person) end
    else
      to.connections[key], to.marks = x, to.marks + #x.marks
      if x.key ~= '@' then
        owner_of(key) -- what it is bound to is written with it
        owner[key], changed[key] = keep, true
      end
    end
  end
  for flag in gmatch(from.flags, '.') do
    if not find(to.flags, flag, 1, true) then to.flags = to.flags .. flag end
  end
  local totals, list = {}, {}
  for o, ms in gmatch(to.reported .. ',' .. from.reported, '([^=,]*)=(%d+)') do add_total(totals, o, ms) end
  for o, ms in pairs(totals) do list[#list + 1] = o .. '=' .. int(ms) end
  table.sort(list)
  to.reported = table.concat(list, ',')
  now[lose] = '=' .. keep
  tabs[lose] = nil
  merged[#merged + 1] = lose
end

-- same says that an id is of whoever has an address. Of addresses that are the same person, the first in order is the person.
local function same(address, id)
  local a, b = who(address), who(id)
  if a == b then return false end
  local keep, lose = a, b
  if b ~= id and b < a then keep, lose = b, a end
  if now[lose] == '' and not tabs[lose] then -- nobody has been seen under it
    now[lose] = '=' .. keep
    return true
  end
  merge(keep, lose)
  return true
end

-- everybody calls f with each mark in an occurrence, and takes apart whoever has one at or after a time.
local function everybody(o, from, f)
  local raw, n = call('HGETALL', PEOPLE), o.list[1].n
  for i = 1, #raw, 2 do
    if not now[raw[i]] and (n == '1' or find(raw[i + 1], n .. '.', 1, true)) then read_person(raw[i], raw[i + 1]) end
  end
  for id, text in pairs(now) do
    local t, concerned = tabs[id] or parse(id, sub(text, 1, 1) == '=' and '' or text), false
    for _, x in pairs(t.connections) do
      if x.n == n then
        for _, m in ipairs(x.marks) do
          concerned = concerned or m.at >= from
          f(m)
        end
      end
    end
    if concerned then tabs[id] = t end
  end
end

-- finish ends an occurrence: a named one at its latest end; a nameless one is cut in two there.
local function finish(o, at)
  local p, i = place(o.list, at, false)
  if not o.nameless then
    if p.stop and p.stop >= at then return false end
    p.stop = at
    change_end(o)
    return true
  end
  if p.stop == at then return false end
  if c.occurrences >= MAX_OPENINGS then return nil end
  if not o.before then -- whoever is counted by now was placed in these
    o.before = {}
    for j, q in ipairs(o.list) do o.before[j] = {n = q.n, stop = q.stop, o = o, real = q} end
  end
  local q = new_opening(o, p.stop)
  p.stop = at
  table.insert(o.list, i + 1, q)
  change_end(o)
  if at > c.last then return true end -- nothing was later
  if i > 1 then p.start = nil elseif p.start and p.start > at then p.start = at end
  local function opens(t) -- it opens p or q
    local r = place(o.list, t, true)
    if (r == p and i > 1 or r == q) and (not r.start or t < r.start) then r.start = t end
  end
  for _, t in ipairs(o.touches) do opens(t) end
  everybody(o, at, function(m) if m.join then opens(m.at) end end)
  return true
end

-- the marks, one after the other --------------------------------------------------------------------------------------------------

local function new_occurrence(room, id)
  if c.occurrences >= MAX_OPENINGS then return nil end
  local o = {id = id, room = room, nameless = sub(id, -1) == '/', touches = {}, list = {}}
  o.list[1] = new_opening(o)
  by_id[id] = o
  return o
end

-- opens_room notes that something beside the audience opened a nameless occurrence: true if that is news, nil if it is too much.
local function opens_room(o, at)
  for _, t in ipairs(o.touches) do if t == at then return false end end
  if #o.touches >= MAX_TOUCHES then return nil end
  o.touches[#o.touches + 1], o.dirty = at, true
  return true
end

local EVENT = {
  j = function(o, at, key, person, name)
    return not o.nameless and key ~= '' and fast_join(o, key, person, at, name) or stay(o, key, person, at, true, name)
  end,
  l = function(o, at, key, person, name)
    return not o.nameless and key ~= '' and fast_leave(o, key, person, at, name) or stay(o, key, person, at, false, name)
  end,
  b = function(o, _, key, _, peer)
    local bound = bind(o, key, peer)
    return bound == nil and 't' or bound and 'r' or 'd'
  end,
  s = function() return 'd' end,
  e = function(o, at)
    local ended = finish(o, at)
    return ended == nil and 't' or ended and 'r' or 'd'
  end,
  J = function(o, _, key, person) return of_staff(o, key, person) and 'S' or 's' end,
}
EVENT.L = EVENT.J
function EVENT.B(o, _, key, person, peer)
  local bound = bind(o, key, peer)
  if bound == nil then return 't' end
  return (of_staff(o, key, person) or bound) and 'S' or 's'
end

local OPENS = {j = true, s = true, J = true}
local PLACE = {}
for i = 0, M - 1 do PLACE[string.format('%02x', i)] = i end

-- apply adds a mark. S is s, of a mark that is news.
local function apply(i)
  local kind, index = sub(CODES, 3 * i - 2, 3 * i - 2), PLACE[sub(CODES, 3 * i - 1, 3 * i)]
  local key, person, at, extra = ARGV[CONN + i], ARGV[PERSON + i], tonumber(ARGV[TIME + i]), ARGV[EXTRA + i]
  local room, id = ARGV[OCC + 2 * index + 1], ARGV[OCC + 2 * index + 2]
  if kind == 'P' then return of_staff(nil, '', person) and 'S' or 's' end
  if kind == 'r' or kind == 'p' or kind == 'a' then return of_person(kind, person, id, extra) end
  if kind == 'i' then
    return same(person, extra) and 'r' or 'd'
  end
  local known = by_id[id]
  local o = known or new_occurrence(room, id)
  if not o then return 't' end
  local reopened = false
  if o.nameless and OPENS[kind] and kind ~= 'j' then reopened = opens_room(o, at) end
  local r = reopened == nil and 't' or EVENT[kind](o, at, key, person, extra)
  if r == 't' then
    if not known then by_id[id], by_number[o.list[1].n], c.occurrences = nil, nil, c.occurrences - 1 end
    return r
  end
  if touch(o, at, OPENS[kind]) or reopened then
    if r == 'd' then r = 'r' elseif r == 's' then r = 'S' end
  end
  return r
end

local results, news = {}, false
for i = 1, N do
  local r = apply(i)
  if r == 'r' or r == 'S' then news = true end
  results[i] = r == 'S' and 's' or r
end
results = table.concat(results)
if not news then return results end

-- what that changed of persons ------------------------------------------------------------------------------------------------------

-- strands calls f with each connection's marks in each opening, in time order, leaves before joins. A mark that names no connection is of
-- every connection that the person has in the occurrence. before: in the openings as they were.
local function strands(t, before, f)
  local by, loose = {}, {}
  for _, x in pairs(t.connections) do
    if x.key == '@' then
      loose[x.n] = x.marks
      by[x.n] = by[x.n] or {}
    elseif #x.marks > 0 then
      by[x.n] = by[x.n] or {}
      table.insert(by[x.n], x.marks)
    end
  end
  for n, list in pairs(by) do
    local o = by_number[n].o
    if #list == 0 then list = {{}} end
    for _, own in ipairs(list) do
      local marks = {}
      for _, m in ipairs(own) do marks[#marks + 1] = m end
      for _, m in ipairs(loose[n] or {}) do marks[#marks + 1] = m end
      table.sort(marks, function(a, b) if a.at ~= b.at then return a.at < b.at end return not a.join and b.join end)
      if not o.nameless then
        f(o.list[1], marks)
      else
        local openings, parts = before and o.before or o.list, {}
        for _, m in ipairs(marks) do
          local p = place(openings, m.at, m.join)
          parts[p] = parts[p] or {}
          table.insert(parts[p], m)
        end
        for p, part in pairs(parts) do f(p, part) end
      end
    end
  end
end

-- presence notes, sign times, the labels that a person passes through.
local function presence(steps, sign)
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
    local now = join_list(numbers)
    if now ~= label then
      if label ~= '' then delta(label, ms, -sign) end
      if now ~= '' then delta(now, ms, sign) end
      label = now
    end
  end
end

-- count_person counts a person, sign times. Staff are in no figure.
local function count_person(id, t, sign, before)
  if is_staff(t) then return end
  local steps, joined, left = {}, false, false
  strands(t, before, function(p, marks)
    local inside, any = false, false
    for _, m in ipairs(marks) do
      if m.join ~= inside then
        inside, any = m.join, true
        steps[#steps + 1] = {m.at, tonumber(p.n), m.join and 1 or -1}
      end
    end
    if inside then opened(p.real or p, sign) end
    if any then joined = true elseif #marks > 0 then left = true end
  end)
  presence(steps, sign)
  local seen = joined or t.reported ~= ''
  if seen then seen_person(id, t, sign, joined) elseif left then c.leaving = c.leaving + sign end
  if find(t.flags, 'r', 1, true) then c.registered = c.registered + sign end
  if find(t.flags, 'p', 1, true) then c.replayed = c.replayed + sign end
  if t.reported == '' then return end
  local total = 0
  for ms in gmatch(t.reported, '=(%d+)') do total = total + tonumber(ms) end
  c.reported, c.reported_watch = c.reported + sign, c.reported_watch + sign * total
  if not joined then c.filled = c.filled + sign * total end
end

local people, gone = {}, {} -- fields to write, and to delete
for id, t in pairs(tabs) do
  now[id] = text_of(id, t)
  local reopened = false
  for _, x in pairs(t.connections) do reopened = reopened or by_number[x.n].o.before ~= nil end
  if now[id] ~= counted[id] or reopened then
    count_person(id, parse(id, counted[id]), -1, true)
    count_person(id, t, 1, false)
  end
end
for _, id in ipairs(merged) do count_person(id, parse(id, counted[id]), -1, true) end
for id, text in pairs(now) do
  if text ~= (stored[id] or '') then
    if text == '' then gone[#gone + 1] = id else people[#people + 1] = id; people[#people + 1] = text end
  end
end

-- labels: "persons|moment|last|watch" -----------------------------------------------------------------------------------
-- persons: sum of deltas; moment: sum of delta × (time − base); last: latest time that ever had a delta; watch: ms before
-- the label's end, 0 while it has none.

local L = {}
local function read_label(name, raw)
  local n, moment, last, watch = match(raw or '0|0|0|0', '^(%-?%d+)|(%-?%d+)|(%d+)|(%-?%d+)$')
  L[name] = {n = tonumber(n), moment = tonumber(moment), last = tonumber(last), watch = tonumber(watch)}
  return L[name]
end

-- end_of is a label's end: the latest of its openings', nil while one of them is open.
local function end_of(label, field)
  local latest
  for n in gmatch(label, '%d+') do
    local close = by_number[n][field]
    if not close then return nil end
    if not latest or close > latest then latest = close end
  end
  return latest
end

-- beyond are a label's changes at or after its end; empty, and not looked for, in the usual case.
local logged
local function beyond(name, l, stop)
  if l.last < stop then return {} end
  if not logged then
    logged = {}
    for label, changes in gmatch(call('GET', LOG) or '', '([%d,]+):([^;]*);') do
      local list = logged[label] or {}
      logged[label] = list
      for ms, sign in gmatch(changes, '(%-?%d+)([+-])') do list[#list + 1] = {tonumber(ms) + base, sign == '+' and 1 or -1} end
    end
  end
  local out = {}
  for _, d in ipairs(logged[name] or {}) do if d[1] >= stop then out[#out + 1] = d end end
  return out
end

-- weigh adds (sign 1) or takes away (sign -1) what a label contributes to watch and present when it ends at stop.
local function weigh(name, l, stop, sign)
  if not stop then
    c.present, c.open_moment, l.watch = c.present + sign * l.n, c.open_moment + sign * l.moment, 0
    return
  end
  local watch = l.n * (stop - base) - l.moment
  for _, d in ipairs(beyond(name, l, stop)) do watch = watch - d[2] * (stop - d[1]) end
  l.watch, c.watch = watch, c.watch + sign * watch
end

-- ends of the rooms in which one has moved: its stop; without one, the start of the next opening of the same room.
local reclosed = false
for room in pairs(moved) do
  local same = {}
  for _, o in pairs(by_id) do
    if o.room == room then for _, p in ipairs(o.list) do same[#same + 1] = p end end
  end
  table.sort(same, function(a, b) return (a.start or 0) > (b.start or 0) end)
  local later, here -- the smallest start after the one being looked at; the starts equal to it
  for _, p in ipairs(same) do
    local stop = p.stop
    if p.start then
      if here and p.start < here then later = here end
      here = p.start
      stop = stop or later
    end
    if stop ~= p.close then p.close, p.o.dirty, reclosed = stop, true, true end
  end
end
if reclosed then
  local raw = call('HGETALL', LABELS)
  for i = 1, #raw, 2 do
    local was, is = end_of(raw[i], 'was'), end_of(raw[i], 'close')
    if was ~= is then
      local l = read_label(raw[i], raw[i + 1])
      l.dirty = true
      weigh(raw[i], l, was, -1)
      weigh(raw[i], l, is, 1)
    end
  end
end

-- the changes of persons, under the ends as they are now.
local log = {}
do
  local missing = {}
  for name in pairs(deltas) do if not L[name] then missing[#missing + 1] = name end end
  for from = 1, #missing, 4000 do
    local names = {unpack(missing, from, math.min(from + 3999, #missing))}
    for i, raw in ipairs(call('HMGET', LABELS, unpack(names))) do read_label(names[i], raw) end
  end
end
for name, by_ms in pairs(deltas) do
  local l, stop, out = L[name], end_of(name, 'close'), {}
  for ms, by in pairs(by_ms) do
    if by ~= 0 then
      l.n, l.moment, l.dirty = l.n + by, l.moment + by * (ms - base), true
      if ms > l.last then l.last = ms end
      if not stop then
        c.present, c.open_moment = c.present + by, c.open_moment + by * (ms - base)
      elseif ms < stop then
        l.watch, c.watch = l.watch + by * (stop - ms), c.watch + by * (stop - ms)
      end
      local change = ms - base .. (by > 0 and '+' or '-')
      for _ = 1, math.abs(by) do out[#out + 1] = change end
    end
  end
  if #out > 0 then log[#log + 1] = name .. ':' .. table.concat(out) .. ';' end
end

-- and everything is written, once --------------------------------------------------------------------------------------------------

local function write(command, key, list)
  for from = 1, #list, 4000 do call(command, key, unpack(list, from, math.min(from + 3999, #list))) end
end

for name, by in pairs(shown) do
  if by ~= 0 then
    local now = call('HINCRBY', GUESTS, name, int(by))
    if now == by then c.names = c.names + 1 elseif now == 0 then c.names = c.names - 1; call('HDEL', GUESTS, name) end
  end
end
local occs, conns, labels = {}, {}, {}
c.live, c.started, c.ended, c.connections = 0, 0, 0, 0
for _, o in pairs(by_id) do
  if o.dirty then occs[#occs + 1] = o.id; occs[#occs + 1] = write_occurrence(o) end
  for _, p in ipairs(o.list) do
    if p.start then
      if c.started == 0 or p.start < c.started then c.started = p.start end
      if not p.close then c.live = c.live + 1 elseif p.close > c.ended then c.ended = p.close end
    end
    if not p.close then c.connections = c.connections + p.open end
  end
end
for key in pairs(changed) do
  conns[#conns + 1] = key
  conns[#conns + 1] = owner[key] .. (peers[key] and ';' .. index[key] .. ';' .. peers[key] or '')
end
for name, l in pairs(L) do
  if l.dirty then labels[#labels + 1] = name; labels[#labels + 1] = int(l.n) .. '|' .. int(l.moment) .. '|' .. int(l.last) .. '|' .. int(l.watch) end
end
write('HSET', OCCS, occs)
write('HSET', CONNS, conns)
write('HSET', PEOPLE, people)
write('HDEL', PEOPLE, gone)
write('HSET', LABELS, labels)
if #log > 0 then
  local size = call('APPEND', LOG, table.concat(log))
  if size > 65536 and size > 200 * (c.measured + 1) then -- corrections append: now and then what they cancelled is left out
    local sums, out = {}, {}
    for label, changes in gmatch(call('GET', LOG), '([%d,]+):([^;]*);') do
      local by = sums[label] or {}
      sums[label] = by
      for ms, sign in gmatch(changes, '(%-?%d+)([+-])') do by[ms] = (by[ms] or 0) + (sign == '+' and 1 or -1) end
    end
    for label, by in pairs(sums) do
      out[#out + 1] = label .. ':'
      for ms, n in pairs(by) do out[#out + 1] = string.rep(ms .. (n > 0 and '+' or '-'), math.abs(n)) end
      out[#out + 1] = ';'
    end
    call('SET', LOG, table.concat(out))
    c.epoch = c.epoch + 1
  end
end
c.rev = c.rev + 1
local counts = {}
for i, name in ipairs(NAMES) do counts[i] = int(c[name]) end
call('SET', COUNTS, table.concat(counts, ' '))
return results

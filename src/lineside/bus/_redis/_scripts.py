"""What Redis does in one step, as Lua.

Keys of one stream: ``h:`` a hash with its epoch ``e``, last offset ``o``, limits ``m`` and ``a`` (ms), the
time of the newest message ``p`` and of the newest that was evicted ``x``, and when its expiry was renewed
``r``; ``l:`` its log, a Redis stream whose ids are the offsets, so that no clock orders anything; ``d:`` the
ids and idempotency keys of the last minutes, in two hashes by turns. The epoch of a position is the server's
generation and the stream's own.

Keys of one group: ``gi:`` each member's info, ``gc:`` how many sessions it has, ``gs:`` each session's
node. ``on:`` are the sessions of a node, ``owners`` the nodes that have any, ``grace`` the members that have
none and may come back.
"""

from typing import Final

__all__ = ["ADOPT", "APPEND", "BEAT", "EXPIRE", "JOIN", "LEAVE", "MEMBERS", "NODES", "READ", "REMOVE"]

_NOW: Final = """
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local now = now_ms()
local function int(n) return string.format('%d', n) end
"""

_LOG: Final = (
    _NOW
    + """
local prefix, stream, fresh = KEYS[1], ARGV[1], ARGV[2]
local server, meta, log = prefix .. 'server', prefix .. 'h:' .. stream, prefix .. 'l:' .. stream

local generation = redis.call('HGET', server, 'generation')
if not generation then
  generation = fresh
  redis.call('HSET', server, 'generation', generation)
end
local known = redis.call('HMGET', meta, 'e', 'o', 'm', 'a', 'p', 'x', 'r')
local own, last = known[1], tonumber(known[2])
local newest, evicted = tonumber(known[5] or ''), tonumber(known[6] or '')
if not own then
  own, last = fresh, 0
  redis.call('DEL', log)
  redis.call('HSET', meta, 'e', own, 'o', 0)
end
local epoch = generation .. '.' .. own

local function offset_of(entry) return tonumber(string.match(entry[1], '^%d+')) end
local function exact(n) return string.format('%.17g', n) end

-- Drops what is too much or too old. It looks at few entries, because reading one copies its data.
local function trim(most, age)
  local count = 1
  while true do
    local excess = redis.call('XLEN', log) - most
    local head = redis.call('XRANGE', log, '-', '+', 'COUNT', math.max(count, excess))
    local gone, old = 0, false
    for i, entry in ipairs(head) do
      old = tonumber(entry[2][4]) + age <= now
      if i > excess and not old then break end
      gone = i
      local published = tonumber(entry[2][2])
      if not evicted or published > evicted then evicted = published end
    end
    if gone == 0 then return end
    redis.call('XTRIM', log, 'MINID', '=', int(offset_of(head[gone]) + 1))
    -- What comes behind one that is not old is not old either.
    if gone < #head or not old then return end
    count = math.min(count * 4, 64)
  end
end
"""
)

APPEND: Final = (
    _LOG
    + """
local id, keyed, key, envelope = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local published, most, age, channel = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
local turn = math.floor(now / 300000)
local current = prefix .. 'd:' .. int(turn) .. ':' .. stream
local previous = prefix .. 'd:' .. int(turn - 1) .. ':' .. stream

local fields = keyed == '1' and {'i' .. id, 'k' .. key} or {'i' .. id}

for _, ids in ipairs({current, previous}) do
  for outcome, found in ipairs(redis.call('HMGET', ids, unpack(fields))) do
    if found then
      local its_epoch, its_offset, its_id = unpack(cmsgpack.unpack(found))
      if its_epoch == own then return {epoch, its_offset, its_id, outcome} end
    end
  end
end

last = last + 1
redis.call('XADD', log, int(last) .. '-0', 'p', published, 't', int(now), 'd', envelope)
trim(most, age)
newest = math.max(newest or 0, tonumber(published))
local record = cmsgpack.pack({own, last, id})
if keyed == '1' then
  redis.call('HSET', current, fields[1], record, fields[2], record)
else
  redis.call('HSET', current, fields[1], record)
end

-- Once a second is enough for what expires a second later.
local renewed = tonumber(known[7] or '0')
if now - renewed >= 1000 or now < renewed or known[4] ~= int(age)
  or math.floor(renewed / 300000) ~= turn then
  renewed = now
  redis.call('PEXPIRE', current, 600000)
  redis.call('PEXPIRE', log, int(age + 1000))
  redis.call('PEXPIRE', meta, int(math.max(2 * age, 3600000)))
end
redis.call('HSET', meta, 'o', int(last), 'm', int(most), 'a', int(age), 'p', exact(newest),
  'x', evicted and exact(evicted) or '', 'r', int(renewed))
redis.call('PUBLISH', channel, '+' .. epoch .. ' ' .. int(last) .. '\\n' .. envelope)
return {epoch, last, id, 0}
"""
)

READ: Final = (
    _LOG
    + """
local how, limit = ARGV[3], tonumber(ARGV[4])
local most, age = tonumber(known[3] or '0'), tonumber(known[4] or '0')
if last > 0 then
  local before = evicted
  trim(most, age)
  if evicted ~= before then redis.call('HSET', meta, 'x', exact(evicted)) end
end
redis.call('PEXPIRE', meta, int(math.max(2 * age, last == 0 and 600000 or 3600000)))
local first = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
local complete, entries = true, {}

if how == 'after' then
  local its_epoch, offset = ARGV[5], tonumber(ARGV[6])
  complete = its_epoch == epoch and offset <= last
    and (offset == last or (first ~= nil and offset_of(first) <= offset + 1))
  if complete and offset < last then
    if limit >= 0 then
      entries = redis.call('XRANGE', log, int(offset + 1), '+', 'COUNT', int(limit + 1))
    else
      entries = redis.call('XRANGE', log, int(offset + 1), '+')
    end
  end
elseif how == 'since' then
  local since = tonumber(ARGV[5])
  local missing = evicted
  if not first then missing = newest end
  complete = not missing or missing < since
  if complete then
    for _, entry in ipairs(redis.call('XRANGE', log, '-', '+')) do
      if tonumber(entry[2][2]) >= since then entries[#entries + 1] = entry end
    end
  end
elseif limit < 0 then
  entries = redis.call('XRANGE', log, '-', '+')
elseif limit > 0 then
  local newest = redis.call('XREVRANGE', log, '+', '-', 'COUNT', int(limit))
  for i = #newest, 1, -1 do entries[#entries + 1] = newest[i] end
end
if how ~= 'last' and limit >= 0 and #entries > limit then
  complete, entries = false, {}
end
local found = {}
for _, entry in ipairs(entries) do
  found[#found + 1] = offset_of(entry)
  found[#found + 1] = entry[2][6]
end
return {epoch, last, complete and 1 or 0, found}
"""
)

ADOPT: Final = """
local server, run, safe, fresh = KEYS[1] .. 'server', ARGV[1], ARGV[2], ARGV[3]
local before = redis.call('HGET', server, 'run')
if before == run then return 0 end
redis.call('HSET', server, 'run', run)
if before and safe ~= '1' then redis.call('HSET', server, 'generation', fresh) end
return 1
"""
"""Begins a new generation when this is another run of the server and it may have lost what it had."""

_GROUP: Final = (
    _NOW
    + """
local prefix = KEYS[1]
local pack, unpacked = cmsgpack.pack, cmsgpack.unpack
local function keys_of(group)
  return prefix .. 'gi:' .. group, prefix .. 'gc:' .. group, prefix .. 'gs:' .. group
end
local function disown(node, group, member, session)
  if node == '' then return end
  redis.call('SREM', prefix .. 'on:' .. node, pack({group, member, session}))
end
"""
)

JOIN: Final = (
    _GROUP
    + """
local group, member, session, node = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local informed, info, limit, exclusive = ARGV[5], ARGV[6], tonumber(ARGV[7]), ARGV[8]
local infos, counts, sessions = keys_of(group)
local count = redis.call('HGET', counts, member)
if exclusive == '1' and count and tonumber(count) > 0 then return {'joined', 0, 0} end
local first = not count
if first then
  local size = redis.call('HLEN', counts)
  if limit >= 0 and size >= limit then return {'full', 0, size} end
  redis.call('HSET', counts, member, 0)
end
if first or informed == '1' then redis.call('HSET', infos, member, info) end
local field = pack({member, session})
local before = redis.call('HGET', sessions, field)
if before then
  disown(before, group, member, session)
else
  redis.call('HINCRBY', counts, member, 1)
end
redis.call('HSET', sessions, field, node)
if node ~= '' then
  redis.call('SADD', prefix .. 'on:' .. node, pack({group, member, session}))
  redis.call('SADD', prefix .. 'owners', node)
end
redis.call('ZREM', prefix .. 'grace', pack({group, member}))
return {'ok', first and 1 or 0, redis.call('HLEN', counts)}
"""
)

LEAVE: Final = (
    _GROUP
    + """
local group, member, session, grace = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local infos, counts, sessions = keys_of(group)
local field = pack({member, session})
local node = redis.call('HGET', sessions, field)
if not node then return {0, 0, redis.call('HLEN', counts)} end
redis.call('HDEL', sessions, field)
disown(node, group, member, session)
local last = 0
if redis.call('HINCRBY', counts, member, -1) <= 0 then
  if grace > 0 then
    redis.call('ZADD', prefix .. 'grace', now + grace, pack({group, member}))
  else
    redis.call('HDEL', counts, member)
    redis.call('HDEL', infos, member)
    last = 1
  end
end
return {1, last, redis.call('HLEN', counts)}
"""
)

MEMBERS: Final = (
    _GROUP
    + """
local infos, counts, sessions = keys_of(ARGV[1])
local only, wanted = ARGV[2], ARGV[3]
local found, by_member = {}, {}
local function add(member, info)
  local entry = {member, info, {}}
  by_member[member] = entry
  found[#found + 1] = entry
end
if only == '1' then
  local info = redis.call('HGET', infos, wanted)
  if info then add(wanted, info) end
else
  local all = redis.call('HGETALL', infos)
  for i = 1, #all, 2 do add(all[i], all[i + 1]) end
end
if #found > 0 then
  local all = redis.call('HGETALL', sessions)
  for i = 1, #all, 2 do
    local member, session = unpack(unpacked(all[i]))
    local entry = by_member[member]
    if entry then
      entry[3][#entry[3] + 1] = session
      entry[3][#entry[3] + 1] = all[i + 1]
    end
  end
end
return found
"""
)

REMOVE: Final = (
    _GROUP
    + """
local group = ARGV[1]
local infos, counts, sessions = keys_of(group)
local all = redis.call('HGETALL', sessions)
for i = 1, #all, 2 do
  local member, session = unpack(unpacked(all[i]))
  disown(all[i + 1], group, member, session)
end
for _, member in ipairs(redis.call('HKEYS', counts)) do
  redis.call('ZREM', prefix .. 'grace', pack({group, member}))
end
local there = redis.call('DEL', counts)
redis.call('DEL', infos, sessions)
return there
"""
)

EXPIRE: Final = (
    _GROUP
    + """
local most, gone = tonumber(ARGV[1]), {}
local function drop(group, member)
  local infos, counts, _ = keys_of(group)
  local info = redis.call('HGET', infos, member) or '{}'
  redis.call('HDEL', infos, member)
  redis.call('HDEL', counts, member)
  gone[#gone + 1] = {group, member, info}
end
local looked = 0
for _, node in ipairs(redis.call('SMEMBERS', prefix .. 'owners')) do
  local lease = tonumber(redis.call('ZSCORE', prefix .. 'nodes', node) or '')
  if not lease or lease <= now then
    for _, owned in ipairs(redis.call('SPOP', prefix .. 'on:' .. node, most - looked)) do
      looked = looked + 1
      local group, member, session = unpack(unpacked(owned))
      local _, counts, sessions = keys_of(group)
      if redis.call('HDEL', sessions, pack({member, session})) == 1
        and redis.call('HINCRBY', counts, member, -1) <= 0 then
        drop(group, member)
      end
    end
    if redis.call('SCARD', prefix .. 'on:' .. node) == 0 then
      redis.call('SREM', prefix .. 'owners', node)
    end
  end
  if looked >= most then break end
end
local over = redis.call('ZRANGEBYSCORE', prefix .. 'grace', '-inf', now, 'LIMIT', 0, most)
for _, waiting in ipairs(over) do
  redis.call('ZREM', prefix .. 'grace', waiting)
  local group, member = unpack(unpacked(waiting))
  local _, counts, _ = keys_of(group)
  if redis.call('HGET', counts, member) == '0' then drop(group, member) end
end
local more = (looked >= most or #over >= most) and 1 or 0
return {more, gone}
"""
)

BEAT: Final = (
    _NOW
    + """
local prefix, node = KEYS[1], ARGV[1]
redis.call('ZADD', prefix .. 'nodes', int(now + tonumber(ARGV[3])), node)
redis.call('HSET', prefix .. 'info', node, ARGV[2])
for _, silent in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'nodes', '-inf', int(now))) do
  redis.call('ZREM', prefix .. 'nodes', silent)
  redis.call('HDEL', prefix .. 'info', silent)
end
return 1
"""
)

NODES: Final = (
    _NOW
    + """
local prefix, found = KEYS[1], {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'nodes', '(' .. int(now), '+inf')) do
  found[#found + 1] = {node, redis.call('HGET', prefix .. 'info', node) or '{}'}
end
return found
"""
)

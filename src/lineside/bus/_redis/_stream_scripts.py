"""What Redis does with a stream's log in one step, as Lua.

Keys of one stream: ``h:`` a hash with its epoch ``e``, last offset ``o``, limits ``m`` and ``a`` (ms), the
time of the newest message ``p`` and of the newest that was evicted ``x``, and when its expiry was renewed
``r``; ``l:`` its log, a Redis stream whose ids are the offsets, so that no clock orders anything; ``d:`` the
ids and idempotency keys of the last minutes, in two hashes by turns. The epoch of a position is the server's
generation (``server``) and the stream's own.
"""

from typing import Final

from lineside.bus._redis._clock import NOW

__all__ = ["APPEND", "READ"]

_LOG: Final = (
    NOW
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

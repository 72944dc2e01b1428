"""What Redis does with a group in one step, as Lua.

Keys of one group: ``gi:`` each member's info, ``gc:`` how many sessions it has, ``gs:`` each session's
node. ``on:`` are the sessions of a node, ``owners`` the nodes that have any, ``grace`` the members that have
none and may come back. ``x:`` is what a caller of `EXPIRE` was told last, and as an answer to which question.
"""

from typing import Final

from lineside.bus._redis._clock import NOW

__all__ = ["EXPIRE", "JOIN", "LEAVE", "MEMBERS", "REMOVE"]

_GROUP: Final = (
    NOW
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
local most, told, question = tonumber(ARGV[1]), prefix .. 'x:' .. ARGV[2], tonumber(ARGV[3])
-- A question that comes again has had no answer; what was dropped for it is told to nobody else.
local before = redis.call('GET', told)
if before then
  local answered, answer = unpack(unpacked(before))
  if answered >= question then return answer end
end
local gone = {}
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
local answer = {(looked >= most or #over >= most) and 1 or 0, gone}
redis.call('SET', told, pack({question, answer}), 'PX', 3600000)
return answer
"""
)

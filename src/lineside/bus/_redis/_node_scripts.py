"""What Redis does with the nodes, and with its own lives, in one step, as Lua.

``nodes`` has the end of each node's lease, ``info`` what it says of itself, ``server`` the run of the server
that the nodes know and the generation that every epoch begins with.
"""

from typing import Final

from lineside.bus._redis._clock import NOW

__all__ = ["ADOPT", "BEAT", "NODES"]

BEAT: Final = (
    NOW
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
    NOW
    + """
local prefix, found = KEYS[1], {}
for _, node in ipairs(redis.call('ZRANGEBYSCORE', prefix .. 'nodes', '(' .. int(now), '+inf')) do
  found[#found + 1] = {node, redis.call('HGET', prefix .. 'info', node) or '{}'}
end
return found
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

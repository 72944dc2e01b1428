"""The time that all nodes agree on: the server's."""

from typing import Final

__all__ = ["NOW"]

NOW: Final = """
local function now_ms()
  local t = redis.call('TIME')
  return t[1] * 1000 + math.floor(t[2] / 1000)
end
local now = now_ms()
local function int(n) return string.format('%d', n) end
"""
"""Gives a script ``now`` in milliseconds, and `int` to write a large number without an exponent."""

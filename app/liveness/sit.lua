-- Take a seat for a connection, unless all are taken.
--
-- KEYS  sorted set: sitter to the millisecond until which it is believed
-- ARGV  milliseconds to believe it, seats, the connection, what it stands for
--
-- Answers   1 if it has one. A sitter is "<connection>|<what it stands for>". Those that stand
--           for the same, like a tab that comes back before its loss was noticed, share a seat.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
local seen, taken = {[ARGV[4]] = true}, 0
for _, sitter in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  local connection, stands_for = string.match(sitter, '^([^|]*)|(.*)$')
  if connection ~= ARGV[3] and not seen[stands_for] then
    seen[stands_for] = true
    taken = taken + 1
  end
end
if taken >= tonumber(ARGV[2]) then
  return 0
end
redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[3] .. '|' .. ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return 1

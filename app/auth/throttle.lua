-- Count one try, unless it comes too early.
--
-- KEYS  the counter
-- ARGV  tries that are free, seconds after which a counter is forgotten, longest wait in seconds
--
-- Answers   0 if it may be made, else the milliseconds to wait. After the free ones, each try
--           makes the next one wait twice as long.
local FIRST_WAIT = 2
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local seen = redis.call('HMGET', KEYS[1], 'count', 'until')
local open_at = tonumber(seen[2]) or 0
if open_at > now then
  return open_at - now
end
local count = math.max(0, tonumber(seen[1]) or 0) + 1
local wait = 0
if count >= tonumber(ARGV[1]) then
  wait = math.min(FIRST_WAIT * 2 ^ (count - ARGV[1]), tonumber(ARGV[3]))
end
redis.call('HSET', KEYS[1], 'count', count, 'until', string.format('%.0f', now + wait * 1000))
redis.call('EXPIRE', KEYS[1], ARGV[2] + math.ceil(wait))
return 0

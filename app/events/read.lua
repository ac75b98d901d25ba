-- Where a chat's log ends, and its events from one offset on, in the same instant.
--
-- KEYS  meta hash, log stream
-- ARGV  epoch to begin with, seconds kept, first offset (0: none), events at most
--
-- Answers   epoch, offset, key of the last event (or ''), entries
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'top')
local epoch = meta[1]
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch)
  redis.call('EXPIRE', KEYS[1], ARGV[2] * 2)
end
local entries = {}
if ARGV[3] ~= '0' then
  entries = redis.call('XRANGE', KEYS[2], ARGV[3] .. '-0', '+', 'COUNT', ARGV[4])
end
return {epoch, tonumber(meta[2]) or 0, meta[3] or '', entries}

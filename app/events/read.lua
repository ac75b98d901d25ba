-- Where a chat's log ends, and its events from one offset on, in the same instant.
--
-- KEYS  meta hash, log stream
-- ARGV  epoch to begin with, seconds kept, first offset (0: none), events at most, bytes at
--       most (0: any number; the event at the first offset does not count)
--
-- Answers   epoch, offset, key of the last event (or ''), entries; the entry that passes the
--           bytes is the last one
local BLOCK = 100
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'top')
local epoch = meta[1]
if not epoch then
  epoch = ARGV[1]
  redis.call('HSET', KEYS[1], 'epoch', epoch)
  redis.call('EXPIRE', KEYS[1], ARGV[2] * 2)
  redis.call('DEL', KEYS[2]) -- what an older numbering left behind
end

local entries = {}
local next_offset = tonumber(ARGV[3])
local left = next_offset > 0 and tonumber(ARGV[4]) or 0
local bytes_left = tonumber(ARGV[5])
if bytes_left == 0 then
  bytes_left = math.huge
end
while left > 0 and bytes_left >= 0 do
  local count = math.min(left, BLOCK)
  local id = string.format('%.0f-0', next_offset)
  local block = redis.call('XRANGE', KEYS[2], id, '+', 'COUNT', count)
  for _, entry in ipairs(block) do
    if bytes_left < 0 then
      break
    end
    entries[#entries + 1] = entry
    next_offset = tonumber(string.match(entry[1], '^%d+')) + 1
    if #entries > 1 or next_offset - 1 ~= tonumber(ARGV[3]) then
      bytes_left = bytes_left - #entry[2][4]
    end
  end
  left = #block < count and 0 or left - count
end
return {epoch, tonumber(meta[2]) or 0, meta[3] or '', entries}

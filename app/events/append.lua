-- Number, store and publish events of one chat, in one step.
--
-- KEYS  meta hash, log stream, live channel (one hash tag: one slot of a cluster)
-- ARGV  fence, epoch to begin with, events kept, seconds kept, force, then for each event:
--       key, payload, seq (a durable event's number in the chat's outbox; 0 for the others)
--
-- Answers   ok, epoch, first offset, how many were new
--           stale, highest fence       the caller no longer owns the chat's run
--           gap, last seq              older durable events must be sent first
--
-- A durable event is taken once: its seq must follow the last one taken (`sent`), and one
-- not above it was taken before. `force` skips over numbers that no longer exist.
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'fence', 'sent')
local offset = tonumber(meta[2]) or 0
local highest = tonumber(meta[3]) or 0
local sent = tonumber(meta[4]) or 0
local fence = tonumber(ARGV[1])
local force = ARGV[5] == '1'

local expected = sent
for i = 6, #ARGV, 3 do
  local seq = tonumber(ARGV[i + 2])
  if seq > expected then
    if seq > expected + 1 and not force then
      return {'gap', sent}
    end
    expected = seq
  end
end

if fence > 0 and fence < highest then
  if expected > sent then
    redis.call('HSET', KEYS[1], 'sent', expected) -- overtaken, hence dropped
  end
  return {'stale', highest}
end

local epoch = meta[1]
if not epoch then
  epoch = ARGV[2]
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
if fence > highest then
  redis.call('HSET', KEYS[1], 'fence', fence)
end

local first = offset + 1
local lines = {epoch, tostring(first)}
local top
for i = 6, #ARGV, 3 do
  local seq = tonumber(ARGV[i + 2])
  if seq == 0 or seq > sent then
    if seq > 0 then
      sent = seq
    end
    offset = offset + 1
    if offset == 1 then
      redis.call('DEL', KEYS[2]) -- what an older numbering left behind
    end
    top = ARGV[i]
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], offset .. '-0', 'k', top, 'd', ARGV[i + 1])
    lines[#lines + 1] = ARGV[i + 1]
  end
end

if top then
  redis.call('HSET', KEYS[1], 'offset', offset, 'top', top, 'sent', sent)
  redis.call('EXPIRE', KEYS[2], ARGV[4])
  redis.call('PUBLISH', KEYS[3], table.concat(lines, '\n'))
end
redis.call('EXPIRE', KEYS[1], ARGV[4] * 2)
return {'ok', epoch, first, offset - first + 1}

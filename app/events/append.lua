-- Number, store and publish events of one chat, in one step.
--
-- KEYS  meta hash, log stream (one hash tag: one slot of a cluster)
-- ARGV  live channel (no key: a slot on its way to another node waits for all it is to have),
--       fence, epoch to begin with, events kept, seconds kept, force, how much the fence's owner
--       knows to be here of what it said (or -1), then for each event: key, payload, seq (a
--       durable event's number in the chat's outbox; 0 for the others)
--
-- Answers   ok, epoch, first offset, how many were new, how many events that are not durable
--           the fence's owner has said as far as this log knows: fewer than it did say if Redis
--           has lost some of them
--           stale, highest fence       the caller no longer owns the chat's run
--           gap, last seq              older durable events must be sent first
--           said, how many             more is here than the owner knows of: what it thought to
--                                      have failed, and would say again, did not
--
-- A durable event is taken once: its seq must follow the last one taken (`sent`), and one
-- not above it was taken before. `force` skips over numbers that no longer exist. They were
-- taken once, so this log has gone back to before them (a failover), and whoever was there
-- then would never hear of them: it begins a new epoch. A log that knows of none was lost
-- whole, and has one already.
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'offset', 'fence', 'sent', 'said')
local offset = tonumber(meta[2]) or 0
local highest = tonumber(meta[3]) or 0
local sent = tonumber(meta[4]) or 0
local said = tonumber(meta[5]) or 0
local fence = tonumber(ARGV[2])
local force = ARGV[6] == '1'

local expected = sent
local has_lost = false
for i = 8, #ARGV, 3 do
  local seq = tonumber(ARGV[i + 2])
  if seq > expected then
    if seq > expected + 1 and not force then
      return {'gap', sent}
    end
    has_lost = has_lost or (seq > expected + 1 and sent > 0)
    expected = seq
  end
end

if fence > 0 and fence < highest then
  if expected > sent then
    redis.call('HSET', KEYS[1], 'sent', expected) -- overtaken, hence dropped
  end
  return {'stale', highest}
end

if fence > highest or has_lost then
  said = 0
end
local known = tonumber(ARGV[7])
if known >= 0 and said > known then
  return {'said', said}
end

local epoch = meta[1]
if has_lost or not epoch then
  epoch = ARGV[3]
  offset = 0
  redis.call('HSET', KEYS[1], 'epoch', epoch)
end
if fence > highest then
  redis.call('HSET', KEYS[1], 'fence', fence, 'said', 0)
end

local first = offset + 1
local lines = {epoch, tostring(first)}
local top
for i = 8, #ARGV, 3 do
  local seq = tonumber(ARGV[i + 2])
  if seq == 0 or seq > sent then
    if seq > 0 then
      sent = seq
    elseif fence > 0 then
      said = said + 1
    end
    offset = offset + 1
    if offset == 1 then
      redis.call('DEL', KEYS[2]) -- what an older numbering left behind
    end
    top = ARGV[i]
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[4], offset .. '-0', 'k', top, 'd', ARGV[i + 1])
    lines[#lines + 1] = ARGV[i + 1]
  end
end

if top then
  redis.call('HSET', KEYS[1], 'offset', offset, 'top', top, 'sent', sent, 'said', said)
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  redis.call('PUBLISH', ARGV[1], table.concat(lines, '\n'))
end
redis.call('EXPIRE', KEYS[1], ARGV[5] * 2)
return {'ok', epoch, first, offset - first + 1, said}

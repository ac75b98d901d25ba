-- Begin the log of a chat anew, unless it holds the durable events it was thought to have lost.
--
-- KEYS  meta hash, log stream
-- ARGV  live channel, epoch to begin with, seconds kept, the last durable event it must hold
--
-- Answers   1 if it was begun anew. Those who follow it hear of an epoch they do not know.
local sent = tonumber(redis.call('HGET', KEYS[1], 'sent')) or 0
local wanted = tonumber(ARGV[4])
if sent >= wanted then
  return 0
end
redis.call('DEL', KEYS[2])
redis.call('HDEL', KEYS[1], 'top')
redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'offset', 0, 'sent', wanted, 'said', 0)
redis.call('EXPIRE', KEYS[1], ARGV[3] * 2)
redis.call('PUBLISH', ARGV[1], ARGV[2] .. '\n1')
return 1

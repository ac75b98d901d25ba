-- Say that these connections of one session are there, by Redis's own clock.
--
-- KEYS  sorted set: connection to the millisecond until which it is believed
-- ARGV  milliseconds to believe it, connections
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
for i = 2, #ARGV do
  redis.call('ZADD', KEYS[1], now + ARGV[1], ARGV[i])
end
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return redis.status_reply('OK')

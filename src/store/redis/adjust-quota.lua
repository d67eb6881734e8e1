-- Adds units to what may be used of a quota in one period, once for each key.
--
-- KEYS[1]  the counter, as in lease-quota.lua
-- KEYS[2]  set: keys of the adjustments that were made in the period
-- ARGV[1]  units, below 0 to take away
-- ARGV[2]  key of the adjustment
-- ARGV[3]  end of the period, Unix milliseconds
-- ARGV[4]  milliseconds that the counter is kept after the period
-- Reply:   1 when they were added, 0 when they had been before
if redis.call('SADD', KEYS[2], ARGV[2]) == 0 then return 0 end
local adjusted = tonumber(redis.call('HGET', KEYS[1], 'adjusted') or '0') + tonumber(ARGV[1])
local gone = string.format('%.0f', tonumber(ARGV[3]) + tonumber(ARGV[4]))
redis.call('HSET', KEYS[1], 'adjusted', string.format('%.0f', adjusted))
redis.call('PEXPIREAT', KEYS[1], gone)
redis.call('PEXPIREAT', KEYS[2], gone)
return 1

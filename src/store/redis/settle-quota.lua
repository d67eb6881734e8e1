-- Counts units that a gateway let pass while it could not ask: they were used, so they count even above the limit.
--
-- KEYS[1]  the counter, as in lease-quota.lua
-- ARGV[1]  owner
-- ARGV[2]  number of this settlement, rising: one whose answer was lost may be sent again and counts once
-- ARGV[3]  units
-- ARGV[4]  end of the period, Unix milliseconds
-- ARGV[5]  milliseconds that the lease lives
-- ARGV[6]  milliseconds that the counter is kept after the period
-- Reply:   {units used or leased, adjusted}
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local field = 'lease:' .. ARGV[1]
local lease = redis.call('HGET', KEYS[1], field)
local held, settled = '0', '0'
if lease then held, settled = string.match(lease, '^(%S+) %S+ (%S+)$') end
local total = tonumber(redis.call('HGET', KEYS[1], 'total') or '0')
local adjusted = tonumber(redis.call('HGET', KEYS[1], 'adjusted') or '0')
if tonumber(ARGV[2]) <= tonumber(settled) then return { total, adjusted } end

total = total + math.floor(tonumber(ARGV[3]))
redis.call('HSET', KEYS[1], 'total', string.format('%.0f', total),
  field, string.format('%s %.0f %s', held, now + tonumber(ARGV[5]), ARGV[2]))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(ARGV[4]) + tonumber(ARGV[6])))
return { total, adjusted }

-- Gives unused units back to a quota's counter. A lease that has expired counts as used: nothing of it comes back.
--
-- KEYS[1]  the counter, as in lease-quota.lua
-- ARGV[1]  owner
-- ARGV[2]  units
-- ARGV[3]  held: units that the owner keeps; -1: nothing new is known of them
-- Reply:   units that were given back
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local field = 'lease:' .. ARGV[1]
local lease = redis.call('HGET', KEYS[1], field)
if not lease then return 0 end
local held, expires, settled = string.match(lease, '^(%S+) (%S+) (%S+)$')
if tonumber(expires) <= now then return 0 end

local total = tonumber(redis.call('HGET', KEYS[1], 'total') or '0')
local units = math.min(math.floor(tonumber(ARGV[2])), total)
-- More may come back than was in hand when the owner last asked: units of calls that ended without using them.
local keeps = tonumber(ARGV[3])
if keeps < 0 then keeps = math.max(0, tonumber(held) - units) end
redis.call('HSET', KEYS[1], 'total', string.format('%.0f', total - units),
  field, string.format('%.0f %s %s', keeps, expires, settled))
return units

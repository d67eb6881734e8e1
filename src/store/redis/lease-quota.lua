-- Leases units of a quota's counter, for the period that it is by the server's clock. What is leased counts as used until
-- it is given back.
--
-- KEYS[1]  the counter, a hash. total: units used or leased; lease:<owner>: 'units expires settled', the units in the
--          owner's hands when it last asked, until when (Unix milliseconds), and the last settlement that was counted;
--          adjusted: units that an admin added to the limit
-- ARGV[1]  owner: a gateway since its start
-- ARGV[2]  limit
-- ARGV[3]  want
-- ARGV[4]  least that is of use
-- ARGV[5]  held: units of earlier leases that the owner has not used
-- ARGV[6]  start of the period, Unix milliseconds
-- ARGV[7]  its end
-- ARGV[8]  milliseconds that the lease lives: after that it counts as used
-- ARGV[9]  milliseconds that the counter is kept after the period
-- Reply:   {granted, units left, now in Unix milliseconds, adjusted}; granted is -1 when it is another period now
local CLOCK_SLACK_MS = 50
local MANY_LEASES = 64

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local starts, ends = tonumber(ARGV[6]), tonumber(ARGV[7])
if now < starts - CLOCK_SLACK_MS or now >= ends + CLOCK_SLACK_MS then return { -1, 0, now, 0 } end

local total = tonumber(redis.call('HGET', KEYS[1], 'total') or '0')
local adjusted = tonumber(redis.call('HGET', KEYS[1], 'adjusted') or '0')
local left = math.max(0, tonumber(ARGV[2]) + adjusted - total)
local granted = math.min(math.floor(tonumber(ARGV[3])), left)
if granted <= 0 or granted < tonumber(ARGV[4]) then return { 0, left, now, adjusted } end

-- Gateways that are gone leave their leases behind.
if redis.call('HLEN', KEYS[1]) > MANY_LEASES then
  local fields = redis.call('HGETALL', KEYS[1])
  for i = 1, #fields, 2 do
    local expires = string.match(fields[i + 1], '^%S+ (%S+) %S+$')
    if expires and tonumber(expires) <= now then redis.call('HDEL', KEYS[1], fields[i]) end
  end
end

local field = 'lease:' .. ARGV[1]
local lease = redis.call('HGET', KEYS[1], field)
local settled = lease and string.match(lease, '^%S+ %S+ (%S+)$') or '0'
redis.call('HSET', KEYS[1], 'total', string.format('%.0f', total + granted),
  field, string.format('%.0f %.0f %s', tonumber(ARGV[5]) + granted, now + tonumber(ARGV[8]), settled))
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', ends + tonumber(ARGV[9])))
return { granted, left - granted, now, adjusted }

-- Leave to probe a backend. Begins HALF_OPEN when the time in OPEN is over; gives leases while fewer than the limit are held,
-- those of earlier rounds included: their probes still run.
--
-- KEYS[1] state: hash of the shared breaker (phase, epoch, until, since, failed_by, lease)
-- KEYS[2] probes: sorted set, lease -> expiry
-- ARGV[1] gateway
-- ARGV[2] leases wanted
-- ARGV[3] leases that the fleet may hold
-- ARGV[4] milliseconds that the breaker stays open
-- ARGV[5] milliseconds that a lease lives
-- ARGV[6] milliseconds that the gateway whose probe failed last lets others go first
-- ARGV[7] channel for changes
-- ARGV[8] backend
-- Reply: {epoch, phase, milliseconds left in open, lease...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local open_for, lease_life, hold_off = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local state = redis.call('HMGET', KEYS[1], 'phase', 'epoch', 'until', 'since', 'failed_by')
local phase, epoch = state[1] or 'closed', tonumber(state[2] or '0')
local since = tonumber(state[4] or '0')
local left = 0
if phase == 'open' then
  left = tonumber(state[3] or '0') - now
  -- The clock was put back.
  if left > open_for then
    left = open_for
    redis.call('HSET', KEYS[1], 'until', now + open_for)
  end
  if left <= 0 then
    phase, epoch, since, left = 'half_open', epoch + 1, now, 0
    redis.call('HSET', KEYS[1], 'phase', phase, 'epoch', epoch, 'since', since)
    redis.call('PEXPIRE', KEYS[1], 86400000)
    redis.pcall('PUBLISH', ARGV[7], ARGV[8])
  end
end

local reply = { epoch, phase, left }
if phase ~= 'half_open' then return reply end
-- Its own network may be what fails: else it would win each round, and keep the breaker open for all.
if state[5] == ARGV[1] and now >= since and now - since < hold_off then return reply end

redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZREMRANGEBYSCORE', KEYS[2], now + 2 * lease_life, '+inf')
local free = tonumber(ARGV[3]) - redis.call('ZCARD', KEYS[2])
for _ = 1, math.min(tonumber(ARGV[2]), free) do
  local lease = epoch .. '-' .. redis.call('HINCRBY', KEYS[1], 'lease', 1)
  redis.call('ZADD', KEYS[2], now + lease_life, lease)
  table.insert(reply, lease)
end
redis.call('PEXPIRE', KEYS[2], 4 * lease_life)
return reply

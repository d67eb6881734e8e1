-- A probe has ended. The first verdict of HALF_OPEN ends it: a good one closes the breaker, a bad one opens it again. A
-- lease that has expired, or is of another round, says nothing.
--
-- KEYS[1] state: hash of the shared breaker (phase, epoch, until, failed_by)
-- KEYS[2] probes: sorted set, lease -> expiry
-- KEYS[3] views: hash, gateway -> view
-- ARGV[1] gateway
-- ARGV[2] epoch of the shared state that the lease was given under
-- ARGV[3] lease
-- ARGV[4] verdict: good, bad or none
-- ARGV[5] milliseconds that the breaker stays open
-- ARGV[6] channel for changes
-- ARGV[7] backend
-- Reply: {epoch, phase, milliseconds left in open}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'phase', 'epoch', 'until')
local phase, epoch = state[1] or 'closed', tonumber(state[2] or '0')
local open_until = tonumber(state[3] or '0')

local held = redis.call('ZREM', KEYS[2], ARGV[3]) == 1
if held and ARGV[4] ~= 'none' and phase == 'half_open' and epoch == tonumber(ARGV[2]) then
  epoch = epoch + 1
  if ARGV[4] == 'good' then
    phase = 'closed'
    redis.call('HSET', KEYS[1], 'phase', phase, 'epoch', epoch)
    redis.call('HDEL', KEYS[1], 'failed_by')
    redis.call('DEL', KEYS[3])
  else
    phase, open_until = 'open', now + tonumber(ARGV[5])
    redis.call('HSET', KEYS[1], 'phase', phase, 'epoch', epoch, 'until', open_until, 'failed_by', ARGV[1])
  end
  redis.call('PEXPIRE', KEYS[1], 86400000)
  redis.pcall('PUBLISH', ARGV[6], ARGV[7])
end
local left = phase == 'open' and open_until - now or 0
return { epoch, phase, left }

-- One gateway says what it sees of a backend. Opens the breaker when a quorum of those that call the backend agree: more
-- than half of them, and never fewer than two.
--
-- KEYS[1] state: hash of the shared breaker (phase, epoch, until)
-- KEYS[2] views: hash, gateway -> "state epoch calls failures opened expires"
-- KEYS[3] probes: sorted set, lease -> expiry
-- ARGV[1] gateway
-- ARGV[2] state of its own breaker: closed, open or half_open
-- ARGV[3] epoch of the shared state that it knows
-- ARGV[4] calls within its window
-- ARGV[5] failures among them
-- ARGV[6] milliseconds since its breaker opened
-- ARGV[7] milliseconds that the breaker stays open
-- ARGV[8] milliseconds that a view is worth something
-- ARGV[9] milliseconds that a lease lives
-- ARGV[10] channel for changes
-- ARGV[11] backend
-- ARGV[12] leases held, with a space after each
-- Reply: {epoch, phase, milliseconds left in open, other gateways whose breakers are not closed}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local open_for, view_life = tonumber(ARGV[7]), tonumber(ARGV[8])

local state = redis.call('HMGET', KEYS[1], 'phase', 'epoch', 'until')
local phase, epoch = state[1] or 'closed', tonumber(state[2] or '0')
local open_until = tonumber(state[3] or '0')
-- The clock was put back.
if phase == 'open' and open_until > now + open_for then
  open_until = now + open_for
  redis.call('HSET', KEYS[1], 'until', open_until)
end

-- A view formed under another state is no opinion of this one.
local own = ARGV[2]
if tonumber(ARGV[3]) ~= epoch then own = 'closed' end
if own == 'closed' and ARGV[4] == '0' then
  redis.call('HDEL', KEYS[2], ARGV[1])
else
  local opened = own == 'closed' and 0 or now - tonumber(ARGV[6])
  local view = { own, epoch, ARGV[4], ARGV[5], string.format('%.0f', opened), string.format('%.0f', now + view_life) }
  redis.call('HSET', KEYS[2], ARGV[1], table.concat(view, ' '))
  redis.call('PEXPIRE', KEYS[2], 4 * view_life)
end

local callers, agree, doubters = 0, 0, 0
local views = redis.call('HGETALL', KEYS[2])
for i = 1, #views, 2 do
  local seen, under, expires = string.match(views[i + 1], '^(%S+) (%S+) %S+ %S+ %S+ (%S+)$')
  expires = tonumber(expires)
  if expires < now or expires > now + 2 * view_life then
    redis.call('HDEL', KEYS[2], views[i])
  else
    callers = callers + 1
    if seen ~= 'closed' and tonumber(under) == epoch then
      agree = agree + 1
      if views[i] ~= ARGV[1] then doubters = doubters + 1 end
    end
  end
end

for lease in string.gmatch(ARGV[12], '%S+') do
  redis.call('ZADD', KEYS[3], 'XX', now + tonumber(ARGV[9]), lease)
end

if phase == 'closed' and agree >= math.max(2, math.floor(callers / 2) + 1) then
  phase, epoch, open_until = 'open', epoch + 1, now + open_for
  redis.call('HSET', KEYS[1], 'phase', phase, 'epoch', epoch, 'until', open_until)
  redis.call('HDEL', KEYS[1], 'failed_by')
  redis.call('PEXPIRE', KEYS[1], 86400000)
  redis.pcall('PUBLISH', ARGV[10], ARGV[11])
end
local left = phase == 'open' and open_until - now or 0
return { epoch, phase, left, doubters }

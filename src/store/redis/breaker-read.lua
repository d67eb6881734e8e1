-- Everything that is known of a backend's breaker. Changes nothing.
--
-- KEYS[1] state: hash of the shared breaker (phase, epoch, until)
-- KEYS[2] probes: sorted set, lease -> expiry
-- KEYS[3] views: hash, gateway -> "state epoch calls failures opened expires"
-- Reply: {epoch, phase, milliseconds left in open, leases held, (gateway, state, calls, failures, milliseconds since it opened)...}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local state = redis.call('HMGET', KEYS[1], 'phase', 'epoch', 'until')
local phase, epoch = state[1] or 'closed', tonumber(state[2] or '0')
local left = phase == 'open' and tonumber(state[3] or '0') - now or 0
local reply = { epoch, phase, left, redis.call('ZCOUNT', KEYS[2], '(' .. now, '+inf') }
local views = redis.call('HGETALL', KEYS[3])
for i = 1, #views, 2 do
  local seen, calls, failures, opened, expires = string.match(views[i + 1], '^(%S+) %S+ (%S+) (%S+) (%S+) (%S+)$')
  if tonumber(expires) >= now then
    table.insert(reply, views[i])
    table.insert(reply, seen)
    table.insert(reply, tonumber(calls))
    table.insert(reply, tonumber(failures))
    table.insert(reply, now - tonumber(opened))
  end
end
return reply

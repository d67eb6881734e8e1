-- An operator isolates a backend, or closes its breaker. What gateways reported before is forgotten.
--
-- KEYS[1] state: hash of the shared breaker (phase, epoch)
-- KEYS[2] views: hash, gateway -> view
-- ARGV[1] phase: isolated or closed
-- ARGV[2] channel for changes
-- ARGV[3] backend
-- Reply: {epoch, phase, 0}
local epoch = redis.call('HINCRBY', KEYS[1], 'epoch', 1)
redis.call('HSET', KEYS[1], 'phase', ARGV[1])
redis.call('HDEL', KEYS[1], 'until', 'failed_by')
redis.call('DEL', KEYS[2])
-- Isolation holds until somebody ends it.
if ARGV[1] == 'isolated' then
  redis.call('PERSIST', KEYS[1])
else
  redis.call('PEXPIRE', KEYS[1], 86400000)
end
redis.pcall('PUBLISH', ARGV[2], ARGV[3])
return { epoch, ARGV[1], 0 }

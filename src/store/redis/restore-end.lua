-- The whole configuration is written: from here on it counts, at a version above any that was lost.
-- KEYS[1] restoring  token of who restores
-- KEYS[2] head       hash: version, nonce of the last change
-- ARGV[1] token      of this attempt
-- ARGV[2] version    that it gets
-- ARGV[3] channel    told of the version
-- Reply: {"ok"}, {"lost"} when it took too long, and another may have begun
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'lost' } end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[2], 'version', ARGV[2], 'nonce', ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[2])
return { 'ok' }

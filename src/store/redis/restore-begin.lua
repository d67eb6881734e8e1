-- Begins to write the whole configuration anew, into a Redis that has lost some of it. Until the end nothing can be changed.
-- KEYS[1] head        hash: version, nonce of the last change
-- KEYS[2] restoring   token of who restores
-- KEYS[3] documents   hash
-- KEYS[4] ids         sorted set
-- KEYS[5] hashes      hash
-- KEYS[6] children    sorted set
-- KEYS[7] references  sorted set
-- KEYS[8] changes     stream
-- ARGV[1] token       of this attempt
-- ARGV[2] known       version that the writer has
-- ARGV[3] life        milliseconds after which another may try
-- Reply: {"ok"}, {"ahead", version} when nothing is lost, {"busy"} when another restores
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
if version >= tonumber(ARGV[2]) then return { 'ahead', version } end
if not redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[3]) then return { 'busy' } end
redis.call('DEL', KEYS[1], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7], KEYS[8])
return { 'ok' }

-- Writes some documents of a configuration that is restored.
-- KEYS[1] restoring   token of who restores
-- KEYS[2] documents   hash: "<kind>/<id>" -> record (JSON)
-- KEYS[3] ids         sorted set, all scores 0: "<kind>/<id>"
-- KEYS[4] hashes      hash: "<kind>/<hash>" -> id
-- KEYS[5] children    sorted set, all scores 0: "<kind>/<parent>\0<id>"
-- KEYS[6] references  sorted set, all scores 0: "<kind>/<reference>\0<id>"
-- ARGV[1] token       of this attempt
-- ARGV[2] life        milliseconds after which another may try
-- ARGV[3] documents   JSON: [{kind, id, record: {v, c, u, h?, p?, r?, b}}]
-- Reply: {"ok"}, {"lost"} when it took too long, and another may have begun
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return { 'lost' } end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
for _, document in ipairs(cjson.decode(ARGV[3])) do
  local kind, id, record = document.kind, document.id, document.record
  redis.call('HSET', KEYS[2], kind .. '/' .. id, cjson.encode(record))
  redis.call('ZADD', KEYS[3], 0, kind .. '/' .. id)
  if record.h then redis.call('HSET', KEYS[4], kind .. '/' .. record.h, id) end
  if record.p then redis.call('ZADD', KEYS[5], 0, kind .. '/' .. record.p .. '\0' .. id) end
  if record.r then redis.call('ZADD', KEYS[6], 0, kind .. '/' .. record.r .. '\0' .. id) end
end
return { 'ok' }

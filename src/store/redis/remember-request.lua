-- Remembers a request that was done without a change of documents.
-- KEYS[1] requests  hash: key of the request -> record (JSON)
-- KEYS[2] times     sorted set: the same keys by when, Unix milliseconds
-- ARGV[1] now       Unix milliseconds
-- ARGV[2] key
-- ARGV[3] record
-- ARGV[4] life      milliseconds that requests are remembered
-- ARGV[5] most      requests that are remembered
-- Reply: requests that were forgotten for it
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[1], ARGV[2])
local gone = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', tonumber(ARGV[1]) - tonumber(ARGV[4]), 'LIMIT', 0, 100)
if #gone == 0 and redis.call('ZCARD', KEYS[2]) > tonumber(ARGV[5]) then gone = redis.call('ZRANGE', KEYS[2], 0, 0) end
if #gone > 0 then
  redis.call('ZREM', KEYS[2], unpack(gone))
  redis.call('HDEL', KEYS[1], unpack(gone))
end
return #gone

-- Notes when keys were last used: the later wins, whoever comes last.
-- KEYS[1] uses       sorted set: key's id, scored by Unix milliseconds
-- KEYS[2] documents  hash: "<kind>/<id>" -> record: keys that are not there are passed over
-- ARGV[1] step       milliseconds; a use that is less than this later than the known one is not written
-- ARGV[2] use        JSON: [[id, Unix milliseconds], ...]
-- Reply: how many were written
local step = tonumber(ARGV[1])
local written = 0
for _, use in ipairs(cjson.decode(ARGV[2])) do
  local id, at = use[1], use[2]
  local known = tonumber(redis.call('ZSCORE', KEYS[1], id) or '-inf')
  if at >= known + step and redis.call('HEXISTS', KEYS[2], 'api_key/' .. id) == 1 then
    redis.call('ZADD', KEYS[1], at, id)
    written = written + 1
  end
end
return written

-- A gateway says that it is there, and learns which version there is and how many gateways live.
-- KEYS[1] gateways  hash: id -> {seen, version, address} (JSON)
-- KEYS[2] head      hash: version, nonce of the last change
-- ARGV[1] id        of the gateway; empty: only look
-- ARGV[2] address   for people
-- ARGV[3] version   that it has applied
-- ARGV[4] alive     milliseconds for which one that was seen counts as alive
-- ARGV[5] forget    milliseconds after which one that was not seen is dropped
-- Reply: {version, nonce, {{id, address, version, milliseconds since it was seen, 1 when alive}, ...}}
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if ARGV[1] ~= '' then
  local entry = { seen = now, version = tonumber(ARGV[3]), address = ARGV[2] }
  redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(entry))
end
local all, found = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local entry = cjson.decode(all[i + 1])
  -- A clock that was set back makes entries of the future: they are fresh.
  local age = math.max(0, now - entry.seen)
  if age > tonumber(ARGV[5]) then
    if ARGV[1] ~= '' then redis.call('HDEL', KEYS[1], all[i]) end
  else
    found[#found + 1] = { all[i], entry.address, entry.version, age, age <= tonumber(ARGV[4]) and 1 or 0 }
  end
end
local head = redis.call('HMGET', KEYS[2], 'version', 'nonce')
return { tonumber(head[1] or '0'), head[2] or '', found }

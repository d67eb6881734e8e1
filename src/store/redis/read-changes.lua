-- What was changed after a version.
-- KEYS[1] head      hash: version, nonce of the last change
-- KEYS[2] changes   stream: "<version>-0" -> nonce, prev, entries (JSON), logged
-- ARGV[1] after     the version that the reader has
-- ARGV[2] count     at most so many
-- ARGV[3] octets    no more when they have so many
-- Reply: {version, nonce, {{id, {"nonce", nonce, "prev", prev, "entries", entries}}, ...}}, oldest first;
--   {version, nonce, nil} when the log does not reach back that far
local AT_ONCE = 4
local head = redis.call('HMGET', KEYS[1], 'version', 'nonce')
local version, nonce = tonumber(head[1] or '0'), head[2] or ''
local after = tonumber(ARGV[1])
if after >= version then return { version, nonce, {} } end
local next_id = string.format('%.0f-0', after + 1)
local found, octets, from = {}, 0, next_id
while #found < tonumber(ARGV[2]) and octets < tonumber(ARGV[3]) do
  local some = redis.call('XRANGE', KEYS[2], from, '+', 'COUNT', math.min(AT_ONCE, tonumber(ARGV[2]) - #found))
  if #some == 0 then break end
  for _, entry in ipairs(some) do
    found[#found + 1] = entry
    octets = octets + #(entry[2][6] or '')
  end
  from = '(' .. found[#found][1]
end
if #found == 0 or found[1][1] ~= next_id then return { version, nonce, false } end
return { version, nonce, found }

-- Appends an entry to the audit log that comes with no change of documents.
-- KEYS[1] head      hash: version of the configuration
-- KEYS[2] audit     stream, as in commit-documents.lua; or that of what was refused
-- ARGV[1] now       Unix milliseconds
-- ARGV[2] body      base64
-- ARGV[3] keep      entries that stay
-- Reply: the id of the entry
local version = tonumber(redis.call('HGET', KEYS[1], 'version') or '0')
local top = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
local major = math.max(version, top and tonumber(string.match(top[1], '^%d+')) or 0)
return redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], string.format('%.0f-*', major), 'at', ARGV[1], 'version', '',
  'body', ARGV[2])

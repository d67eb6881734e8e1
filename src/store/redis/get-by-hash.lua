-- The document that has a hash.
-- KEYS[1] hashes     hash: "<kind>/<hash>" -> id
-- KEYS[2] documents  hash: "<kind>/<id>" -> record (JSON)
-- ARGV[1] kind       of the document
-- ARGV[2] hash       lower-case hex
-- Reply: {id, record}, or nil
local id = redis.call('HGET', KEYS[1], ARGV[1] .. '/' .. ARGV[2])
if not id then return false end
local record = redis.call('HGET', KEYS[2], ARGV[1] .. '/' .. id)
return record and { id, record }

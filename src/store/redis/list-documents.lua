-- A page of documents, ordered by id.
-- KEYS[1] index      ids, or children when a parent is given
-- KEYS[2] documents  hash: "<kind>/<id>" -> record (JSON)
-- ARGV[1] kind       of the documents
-- ARGV[2] prefix     of the index's members: "<kind>/" or "<kind>/<parent>\0"
-- ARGV[3] end        the first text that is no member with the prefix: its last octet is one more
-- ARGV[4] after      id to continue after; empty for the first page
-- ARGV[5] count      at most so many
-- Reply: {id, record, id, record, ...}
local from = '[' .. ARGV[2]
if ARGV[4] ~= '' then from = '(' .. ARGV[2] .. ARGV[4] end
local found = {}
for _, member in ipairs(redis.call('ZRANGEBYLEX', KEYS[1], from, '(' .. ARGV[3], 'LIMIT', 0, ARGV[5])) do
  local id = string.sub(member, #ARGV[2] + 1)
  local record = redis.call('HGET', KEYS[2], ARGV[1] .. '/' .. id)
  if record then
    found[#found + 1] = id
    found[#found + 1] = record
  end
end
return found

-- Makes one change of the configuration: checks everything on a draft first, since a script that fails is not rolled back.
-- KEYS[1] head        hash: version, nonce of the last change, logged: octets of all entries that the log ever had
-- KEYS[2] documents   hash: "<kind>/<id>" -> record (JSON)
-- KEYS[3] ids         sorted set, all scores 0: "<kind>/<id>"
-- KEYS[4] hashes      hash: "<kind>/<hash>" -> id
-- KEYS[5] children    sorted set, all scores 0: "<kind>/<parent>\0<id>"
-- KEYS[6] references  sorted set, all scores 0: "<kind>/<reference>\0<id>"
-- KEYS[7] changes     stream: "<version>-0" -> nonce, prev, entries (JSON), logged (as in head, with this one)
-- KEYS[8] restoring   there while everything is written anew
-- KEYS[9] audit       stream: "<version>-<n>" -> at (Unix milliseconds), version (or empty), body (base64)
-- KEYS[10] requests   hash: key of a request that was done -> record (JSON)
-- KEYS[11] times      sorted set: the same keys by when, Unix milliseconds
-- KEYS[12] key uses   sorted set: when keys were last used, by id
-- KEYS[13] gateways   hash: id -> {seen, version, address} (JSON)
-- ARGV[1] channel     told of the new version
-- ARGV[2] nonce       names this change, so that another history is noticed
-- ARGV[3] now         Unix milliseconds
-- ARGV[4] keep        changes that stay in the log
-- ARGV[5] known       the version that the writer has: a store that is behind it has lost changes
-- ARGV[6] links       JSON: {parent: {kind: kind}, reference: {kind: kind}}
-- ARGV[7] writes      JSON: [{op, kind, id, expected?, body?, hash?, parent?, reference?}], bodies in base64
-- ARGV[8] dry         1: everything is checked, and nothing written
-- ARGV[9] note        entry of the audit log, base64; may be empty
-- ARGV[10] keep       entries that stay in the audit log
-- ARGV[11] request    key of the request that this change is; may be empty
-- ARGV[12] record     of the request
-- ARGV[13] life       milliseconds that requests are remembered
-- ARGV[14] most       requests that are remembered
-- ARGV[15] alive      milliseconds for which a gateway that was seen counts as alive
-- ARGV[16] octets     that the log holds beside its oldest entry
-- Reply: {"ok", version, nonce, prev, entries}, {"none", version}, {"behind", version}, {"restoring"}, {"conflict", kind, id, version},
--   {"missing", kind, id}, {"referenced", kind, id, kind of who refers, its id}, {"taken", kind, id},
--   {"done", key, record}: the request was done before
local head, documents, ids, hashes, children, references, changes =
  KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
if redis.call('EXISTS', KEYS[8]) == 1 then return { 'restoring' } end
local now = tonumber(ARGV[3])
local links = cjson.decode(ARGV[6])
local version = tonumber(redis.call('HGET', head, 'version') or '0')
if version < tonumber(ARGV[5]) then return { 'behind', version } end
-- Another gateway may know of changes that this store has lost, and will give them back: what was written now would be gone.
local time = redis.call('TIME')
local alive_since = time[1] * 1000 + math.floor(time[2] / 1000) - tonumber(ARGV[15])
for _, text in ipairs(redis.call('HVALS', KEYS[13])) do
  local gateway = cjson.decode(text)
  if gateway.version > version and gateway.seen >= alive_since then return { 'behind', version } end
end
local prev = redis.call('HGET', head, 'nonce') or ''
if ARGV[11] ~= '' then
  local done = redis.call('HGET', KEYS[10], ARGV[11])
  local at = done and redis.call('ZSCORE', KEYS[11], ARGV[11])
  if at and tonumber(at) > now - tonumber(ARGV[13]) then return { 'done', ARGV[11], done } end
end

-- The draft: what each touched document was, and will be (false: not there).
local order, before, draft, drafted_hashes = {}, {}, {}, {}

local function stored(name)
  local text = redis.call('HGET', documents, name)
  return text and cjson.decode(text) or false
end

local function find(name)
  if draft[name] ~= nil then return draft[name] end
  return stored(name)
end

local function set(kind, id, record)
  local name = kind .. '/' .. id
  if draft[name] == nil then
    before[name] = stored(name)
    order[#order + 1] = { kind = kind, id = id, name = name }
  end
  local old = find(name)
  if old and old.h then drafted_hashes[kind .. '/' .. old.h] = false end
  if record and record.h then drafted_hashes[kind .. '/' .. record.h] = id end
  draft[name] = record
end

local function holder(kind, hash)
  local drafted = drafted_hashes[kind .. '/' .. hash]
  if drafted ~= nil then return drafted end
  return redis.call('HGET', hashes, kind .. '/' .. hash)
end

-- Ids of a kind whose record has `field` = value, in the draft's view; only the first when `one`.
local function linked(index, kind, field, value, one)
  local found, seen = {}, {}
  local prefix = kind .. '/' .. value
  local members = redis.call('ZRANGEBYLEX', index, '[' .. prefix .. '\0', '(' .. prefix .. '\1')
  for _, member in ipairs(members) do
    local id = string.sub(member, #prefix + 2)
    seen[id] = true
    local drafted = draft[kind .. '/' .. id]
    if drafted == nil or (drafted and drafted[field] == value) then found[#found + 1] = id end
    if one and #found > 0 then return found end
  end
  for _, entry in ipairs(order) do
    local drafted = draft[entry.name]
    if entry.kind == kind and not seen[entry.id] and drafted and drafted[field] == value then
      found[#found + 1] = entry.id
    end
  end
  return found
end

local function delete(kind, id)
  for child, parent in pairs(links.parent) do
    if parent == kind then
      for _, child_id in ipairs(linked(children, child, 'p', id, false)) do delete(child, child_id) end
    end
  end
  set(kind, id, false)
end

for _, write in ipairs(cjson.decode(ARGV[7])) do
  local current = find(write.kind .. '/' .. write.id)
  if write.expected and write.expected ~= (current and current.v or 0) then
    return { 'conflict', write.kind, write.id, current and current.v or 0 }
  end
  if write.op == 'put' then
    local other = write.hash and holder(write.kind, write.hash)
    if other and other ~= write.id then return { 'taken', write.kind, other } end
    set(write.kind, write.id, {
      v = version + 1, c = current and current.c or now, u = now,
      h = write.hash, p = write.parent, r = write.reference, b = write.body,
    })
  elseif current then
    delete(write.kind, write.id)
  end
end
if #order == 0 then return { 'none', version } end

for _, entry in ipairs(order) do
  local record = draft[entry.name]
  if record then
    local parent, reference = links.parent[entry.kind], links.reference[entry.kind]
    if parent and record.p and not find(parent .. '/' .. record.p) then return { 'missing', parent, record.p } end
    if reference and record.r and not find(reference .. '/' .. record.r) then
      return { 'missing', reference, record.r }
    end
  else
    for kind, target in pairs(links.reference) do
      local by = target == entry.kind and linked(references, kind, 'r', entry.id, true)[1]
      if by then return { 'referenced', entry.kind, entry.id, kind, by } end
    end
  end
end

-- From here on nothing is refused.
local dry = ARGV[8] == '1'
local entries = {}
for _, entry in ipairs(order) do
  local kind, id, name, old, record = entry.kind, entry.id, entry.name, before[entry.name], draft[entry.name]
  if not dry then
    if old then
      if old.h and redis.call('HGET', hashes, kind .. '/' .. old.h) == id then
        redis.call('HDEL', hashes, kind .. '/' .. old.h)
      end
      if old.p then redis.call('ZREM', children, kind .. '/' .. old.p .. '\0' .. id) end
      if old.r then redis.call('ZREM', references, kind .. '/' .. old.r .. '\0' .. id) end
    end
    if record then
      redis.call('HSET', documents, name, cjson.encode(record))
      redis.call('ZADD', ids, 0, name)
      if record.h then redis.call('HSET', hashes, kind .. '/' .. record.h, id) end
      if record.p then redis.call('ZADD', children, 0, kind .. '/' .. record.p .. '\0' .. id) end
      if record.r then redis.call('ZADD', references, 0, kind .. '/' .. record.r .. '\0' .. id) end
    else
      redis.call('HDEL', documents, name)
      redis.call('ZREM', ids, name)
      if kind == 'api_key' then redis.call('ZREM', KEYS[12], id) end
    end
  end
  entries[#entries + 1] = { k = kind, i = id, o = old and old.h or nil, d = record or nil }
end
local text = cjson.encode(entries)
version = version + 1
local text_version = string.format('%.0f', version)
if dry then return { 'ok', version, ARGV[2], prev, text } end
local logged = tonumber(redis.call('HGET', head, 'logged') or '0') + #text
local text_logged = string.format('%.0f', logged)
redis.call('XADD', changes, 'MAXLEN', ARGV[4], text_version .. '-0', 'nonce', ARGV[2], 'prev', prev, 'entries', text,
  'logged', text_logged)
redis.call('HSET', head, 'version', text_version, 'nonce', ARGV[2], 'logged', text_logged)
while true do
  local oldest = redis.call('XRANGE', changes, '-', '+', 'COUNT', 1)[1]
  if logged - tonumber(oldest[2][8] or '0') <= tonumber(ARGV[16]) then break end
  redis.call('XDEL', changes, oldest[1])
end
if ARGV[9] ~= '' then
  -- A log that survived where the documents did not is ahead of them.
  local top = redis.call('XREVRANGE', KEYS[9], '+', '-', 'COUNT', 1)[1]
  local major = math.max(version, top and tonumber(string.match(top[1], '^%d+')) or 0)
  redis.call('XADD', KEYS[9], 'MAXLEN', ARGV[10], string.format('%.0f-*', major), 'at', ARGV[3], 'version', text_version,
    'body', ARGV[9])
end
if ARGV[11] ~= '' then
  redis.call('HSET', KEYS[10], ARGV[11], ARGV[12])
  redis.call('ZADD', KEYS[11], now, ARGV[11])
  local gone = redis.call('ZRANGEBYSCORE', KEYS[11], '-inf', now - tonumber(ARGV[13]), 'LIMIT', 0, 100)
  if #gone == 0 and redis.call('ZCARD', KEYS[11]) > tonumber(ARGV[14]) then gone = redis.call('ZRANGE', KEYS[11], 0, 0) end
  if #gone > 0 then
    redis.call('ZREM', KEYS[11], unpack(gone))
    redis.call('HDEL', KEYS[10], unpack(gone))
  end
end
redis.call('PUBLISH', ARGV[1], text_version)
return { 'ok', version, ARGV[2], prev, text }

-- Takes units that conform now from buckets of the generic cell rate algorithm (ITU-T I.371, annex A), by the server's
-- clock, up to as many as are wanted of each. src/store/gcra.ts is its twin, and a test holds one against the other.
--
-- KEYS[i]           a bucket: 'start taken rate last', a full one when absent. start: when it was last full; taken: units
--                   since; rate: at which they flow back, per second; last: when it was last written. Times are Unix
--                   microseconds.
-- ARGV[4 * i - 3]   its rate, units per second, above 0
-- ARGV[4 * i - 2]   its burst, at least 1
-- ARGV[4 * i - 1]   want; 0 only charges
-- ARGV[4 * i]       owed: units that were used while nobody could ask. They may empty the bucket, and put nobody in debt.
-- Reply: for each, one after the other: granted, microseconds until one more unit conforms (0: one does), whole units left
local MOST = 1e15
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1e6 + tonumber(time[2])

local function take(key, rate_text, burst, want, owed)
  local rate = tonumber(rate_text)
  local start, taken, changed = now, 0, false
  local function earned_by(at, per_second)
    return math.max(0, at - start) / 1000 * per_second / 1000
  end

  local bucket = redis.call('GET', key)
  if bucket then
    local s, t, r, l = string.match(bucket, '^(%S+) (%S+) (%S+) (%S+)$')
    start, taken = tonumber(s), tonumber(t)
    local before, last = tonumber(r), tonumber(l)
    if now < last or before ~= rate then
      -- What was in use stays in use (in doubt the limit holds) and flows back from now on: a clock that went back earns
      -- nothing for the way back, and blocks nobody until it has come forward again.
      taken = math.max(0, math.ceil(taken - earned_by(math.max(now, last), before)))
      start = now
      changed = true
    end
  end

  local earned = earned_by(now, rate)
  if earned >= taken then
    start, taken, earned = math.max(now, start), 0, 0
  end
  local conforming = math.floor(burst + earned) - taken
  if owed > 0 and conforming > 0 then
    local charged = math.min(owed, conforming)
    taken = taken + charged
    conforming = conforming - charged
    changed = true
  end
  local granted = math.max(0, math.min(want, conforming))
  taken = taken + granted
  if granted > 0 or changed then
    local full_in = taken * 1e6 / rate - (now - start)
    redis.call('SET', key, string.format('%.0f %.0f %s %.0f', start, taken, rate_text, now),
      'PX', string.format('%.0f', math.min(MOST, math.max(0, math.ceil(full_in / 1000)) + 1000)))
  end

  local left = math.max(0, conforming - granted)
  if left > 0 then return granted, 0, left end
  if math.floor(burst) < 1 then return granted, MOST, 0 end
  local wait = (taken + 1 - burst) * 1000 / rate - (now - start) / 1000
  if wait <= 0 then return granted, 0, 0 end
  -- Half a microsecond to a whole one and a half later: the exact time could by rounding fall just short of the unit.
  return granted, math.min(MOST, math.ceil(wait * 1000 + 0.5)), 0
end

local reply = {}
for i = 1, #ARGV / 4 do
  reply[3 * i - 2], reply[3 * i - 1], reply[3 * i] = take(KEYS[i], ARGV[4 * i - 3], tonumber(ARGV[4 * i - 2]),
    math.floor(tonumber(ARGV[4 * i - 1])), math.floor(tonumber(ARGV[4 * i])))
end
return reply

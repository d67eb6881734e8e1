-- What a quota's counter stands at. Spends nothing.
--
-- KEYS[1]  the counter, as in lease-quota.lua
-- ARGV[1]  owner: the gateway that asks
-- Reply:   {units used or leased, units of these that live leases held when their owners last asked, units that an admin
--          added to the limit, units of the leased that are the asker's own}, as text: the client
--          gets whole numbers next to 2^53 wrong
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local fields = redis.call('HGETALL', KEYS[1])
local total, leased, adjusted, own = 0, 0, 0, 0
for i = 1, #fields, 2 do
  if fields[i] == 'total' then
    total = tonumber(fields[i + 1])
  elseif fields[i] == 'adjusted' then
    adjusted = tonumber(fields[i + 1])
  else
    local held, expires = string.match(fields[i + 1], '^(%S+) (%S+) %S+$')
    if tonumber(expires) > now then
      leased = leased + tonumber(held)
      if fields[i] == 'lease:' .. ARGV[1] then own = tonumber(held) end
    end
  end
end
return { string.format('%.0f', total), string.format('%.0f', math.min(leased, total)), string.format('%.0f', adjusted),
  string.format('%.0f', own) }

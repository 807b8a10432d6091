-- How many leases of each pool in KEYS have not ended. ARGV: the moment in microseconds, or '' for the server's own.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local counts = {}
for i, pool in ipairs(KEYS) do
  counts[i] = redis.call('ZCOUNT', pool, '(' .. string.format('%.0f', now), '+inf')
end
return counts

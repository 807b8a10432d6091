-- Takes one request from each bucket in KEYS, or none from any. Returns the microseconds to wait, 0 if granted.
-- ARGV: for each key its interval in microseconds and its burst. A bucket is the moment, in microseconds since 1970 by the
-- server's clock, at which it will be full again; one that is full is not kept. The same arithmetic as domain/rate.rs.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local full_at, wait = {}, 0
for i, key in ipairs(KEYS) do
  local interval, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local latest = now + interval * burst
  local at = tonumber(redis.call('GET', key) or now)
  at = math.min(math.max(at, now), latest) + interval
  wait = math.max(wait, at - latest)
  full_at[i] = at
end
if wait > 0 then
  return math.ceil(wait)
end
for i, key in ipairs(KEYS) do
  redis.call('SET', key, string.format('%.3f', full_at[i]), 'PX', math.ceil((full_at[i] - now) / 1000) + 1)
end
return 0

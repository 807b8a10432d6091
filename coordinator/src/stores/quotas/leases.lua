-- Leases of streams, the rules of domain/quota.rs. A sorted set for each tier and each pool has the ids by the end of
-- their leases; how many there are is how many of them have not ended. A hash has what each id stands for.
--
-- KEYS: the hash, the set of the pool, that of its tier and that of the other. In a cluster all are on one node.
-- ARGV: the moment in microseconds, or '' for the server's own, which coordinators whose clocks differ agree on;
-- what is asked; an id, what it stands for, its time to live in microseconds; the limits of the pool and of its tier.
local leases, pool, tier, other = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local asked, id, held, ttl = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local moment = string.format('%.0f', now)

-- What has ended is dropped where it is counted now. An id goes from the hash with its tier.
local ended = redis.call('ZRANGEBYSCORE', tier, '-inf', moment)
if #ended > 0 then
  for _, gone in ipairs(ended) do
    redis.call('HDEL', leases, gone)
  end
  redis.call('ZREMRANGEBYSCORE', tier, '-inf', moment)
end
redis.call('ZREMRANGEBYSCORE', pool, '-inf', moment)

local there = redis.call('HGET', leases, id)
local ours = there == held
if there and not ours and not redis.call('ZSCORE', tier, id) then
  -- Of the other tier, where it may have ended.
  local ends = redis.call('ZSCORE', other, id)
  if not ends or tonumber(ends) <= now then
    redis.call('ZREM', other, id)
    redis.call('HDEL', leases, id)
    there = false
  end
end

local function live()
  local ends = string.format('%.0f', now + ttl)
  redis.call('ZADD', pool, ends, id)
  redis.call('ZADD', tier, ends, id)
end

if asked == 'reserve' then
  if there and not ours then
    return {'taken', 0}
  end
  local current = redis.call('ZCARD', pool)
  if ours then
    live()
    return {'granted', current}
  end
  if current >= tonumber(ARGV[6]) then
    return {'pool', current}
  end
  local all = redis.call('ZCARD', tier)
  if all >= tonumber(ARGV[7]) then
    return {'total', all}
  end
  live()
  redis.call('HSET', leases, id, held)
  return {'granted', current + 1}
end

if ours and asked == 'heartbeat' then
  live()
elseif ours and asked == 'release' then
  redis.call('ZREM', pool, id)
  redis.call('ZREM', tier, id)
  redis.call('HDEL', leases, id)
end
return {ours and 'done' or 'ended', 0}

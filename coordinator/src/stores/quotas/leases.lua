-- Leases of streams, the rules of domain/quota.rs. A sorted set for each tier and each pool has the ids by the end of
-- their leases; how many there are is how many of them have not ended. A hash has what each id stands for.
--
-- KEYS: the hash, the set of each tier, the set of the pool and that of its tier. In a cluster all are on one node.
-- ARGV: the moment in microseconds, or '' for the server's own, which coordinators whose clocks differ agree on;
-- what is asked; an id, what it stands for, its time to live in microseconds; the limits of the pool and of its tier.
local leases, pool, tier = KEYS[1], KEYS[4], KEYS[5]
local asked, id, held, ttl = ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
for _, key in ipairs({KEYS[2], KEYS[3]}) do
  for _, ended in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', now)) do
    redis.call('HDEL', leases, ended)
  end
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
end
redis.call('ZREMRANGEBYSCORE', pool, '-inf', now)

local there = redis.call('HGET', leases, id)
local ours = there == held

local function live()
  local ends = string.format('%.0f', now + ttl)
  redis.call('ZADD', pool, ends, id)
  redis.call('ZADD', tier, ends, id)
  redis.call('HSET', leases, id, held)
end

if asked == 'reserve' then
  if there and not ours then
    return {'taken', 0}
  end
  local current, all = redis.call('ZCARD', pool), redis.call('ZCARD', tier)
  if not ours then
    if current >= tonumber(ARGV[6]) then
      return {'pool', current}
    end
    if all >= tonumber(ARGV[7]) then
      return {'total', all}
    end
  end
  live()
  return {'granted', redis.call('ZCARD', pool)}
end

if ours and asked == 'heartbeat' then
  live()
elseif ours and asked == 'release' then
  redis.call('ZREM', pool, id)
  redis.call('ZREM', tier, id)
  redis.call('HDEL', leases, id)
end
return {ours and 'done' or 'ended', 0}

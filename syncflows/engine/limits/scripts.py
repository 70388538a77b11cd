"""What runs inside Valkey, atomically and by its own clock, so that clocks of workers need not agree. JSON in, JSON out; times in microseconds.

Keys of a system begin with `meshline:permits:DATABASE:NAME`. All of them expire, and all may be lost: what must be right stands in PostgreSQL.
"""

# One call's turn under all paces given, or when it would be. Takes it only if it is within the horizon.
PACES = """
local function clock() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
local function number(key) return tonumber(redis.call('GET', key) or '0') end
local function store(key, value, now)
  redis.call('SET', key, string.format('%.0f', value), 'PX', math.ceil((value - now) / 1000) + 60000)
end
local function turn(tats, paces, now, horizon)
  local at = now
  for _, p in ipairs(paces) do at = math.max(at, (tats[p[1]] or 0) - p[3]) end
  if at - now > horizon then return nil, at end
  for _, p in ipairs(paces) do tats[p[1]] = math.max(tats[p[1]] or 0, at) + p[2] end
  return at, at
end
"""

# Before a wave: slots for calls at once, and which of the wave's calls may go within the horizon; for the others when.
ADMIT = (
    PACES
    + """
local now = clock()
local function askers(base, a)
  local zset, wants, others, count = base .. ':askers', base .. ':wants', 0, 1
  redis.call('ZADD', zset, now, a.worker)
  redis.call('HSET', wants, a.worker, a.want)
  for _, gone in ipairs(redis.call('ZRANGEBYSCORE', zset, '-inf', now - a.recent_us)) do
    redis.call('ZREM', zset, gone) redis.call('HDEL', wants, gone)
  end
  local names = redis.call('ZRANGE', zset, 0, -1)
  local share = math.max(1, math.ceil(a.limit / #names))
  for _, name in ipairs(names) do
    if name ~= a.worker then others = others + math.min(share, tonumber(redis.call('HGET', wants, name) or '0')) end
  end
  redis.call('PEXPIRE', zset, 60000) redis.call('PEXPIRE', wants, 60000)
  return #names, math.max(share, a.limit - others)
end
local function slots(base, a, fair)
  local held = base .. ':slots'
  redis.call('ZREMRANGEBYSCORE', held, '-inf', now)
  local free = a.limit - redis.call('ZCARD', held)
  local given = math.max(0, math.min(a.want, free, fair))
  for i = 1, given do redis.call('ZADD', held, now + a.lease_us, a.holder .. ':' .. i) end
  if given > 0 then redis.call('PEXPIRE', held, math.ceil(a.lease_us / 1000) + 60000)
  else redis.call('SET', base .. ':waiting', 1, 'PX', 60000) end
  return given
end
local function plan(base, a)
  local delays, tats, keys = {}, {}, {}
  local later, first = number(base .. ':later'), true
  for i, paces in ipairs(a.calls) do
    for _, p in ipairs(paces) do
      if tats[p[1]] == nil then tats[p[1]] = number(base .. ':plan:' .. p[1]) keys[p[1]] = true end
    end
    local at, would_be = turn(tats, paces, now, a.horizon_us)
    if at then delays[i] = math.ceil((at - now) / 1000)
    else
      later = math.max(later, would_be)
      delays[i] = -math.ceil((later - now) / 1000)
      local slowest = 0
      for _, p in ipairs(paces) do slowest = math.max(slowest, p[2]) end
      later = later + slowest
    end
  end
  for key in pairs(keys) do store(base .. ':plan:' .. key, tats[key], now) end
  if later > now then store(base .. ':later', math.min(later, now + a.longest_us), now) end
  return delays
end
local answers = {}
for n, a in ipairs(cjson.decode(ARGV[1])) do
  local base = KEYS[n]
  local quiet = number(base .. ':quiet')
  if quiet > now then answers[n] = {quiet_ms = math.ceil((quiet - now) / 1000), slots = 0, workers = 1, delays = {}}
  else
    local workers, fair = askers(base, a)
    local given = slots(base, a, fair)
    answers[n] = {quiet_ms = 0, slots = given, workers = workers, delays = given > 0 and plan(base, a) or {}}
  end
end
return cjson.encode(answers)
"""
)

# Before one request: its turn under the rate itself, on credit up to the horizon.
TAKE = (
    PACES
    + """
local now, tats = clock(), {}
local a = cjson.decode(ARGV[1])
for _, p in ipairs(a.paces) do tats[p[1]] = number(KEYS[1] .. ':rate:' .. p[1]) end
local at, would_be = turn(tats, a.paces, now, a.horizon_us)
if at then for _, p in ipairs(a.paces) do store(KEYS[1] .. ':rate:' .. p[1], tats[p[1]], now) end end
return cjson.encode({taken = at ~= nil, wait_ms = math.ceil((would_be - now) / 1000)})
"""
)

# After a wave: give slots back, count what was seen, and say what the window holds now.
WINDOW = """
local function totals(base, bucket, buckets)
  local found = {calls = 0, failures = 0, slow = 0, took = {}}
  for b = bucket - buckets + 1, bucket do
    local row = redis.call('HGETALL', base .. ':window:' .. string.format('%.0f', b))
    for i = 1, #row, 2 do
      local name, value = row[i], tonumber(row[i + 1])
      if string.sub(name, 1, 1) == 't' then
        local place = string.sub(name, 2)
        found.took[place] = (found.took[place] or 0) + value
      else found[name] = (found[name] or 0) + value end
    end
  end
  return found
end
"""
HEARD = (
    PACES
    + WINDOW
    + """
local now, answers = clock(), {}
for n, a in ipairs(cjson.decode(ARGV[1])) do
  local base, freed = KEYS[n], 0
  for i = a.kept + 1, a.slots do freed = freed + redis.call('ZREM', base .. ':slots', a.holder .. ':' .. i) end
  local width = a.window_us / a.buckets
  local bucket = math.floor(now / width)
  local row = base .. ':window:' .. string.format('%.0f', bucket)
  for name, count in pairs(a.counts) do redis.call('HINCRBY', row, name, count) end
  redis.call('PEXPIRE', row, math.ceil(a.window_us / 1000) * 2)
  if a.quiet_us > 0 then
    local quiet = math.max(number(base .. ':quiet'), now + a.quiet_us)
    store(base .. ':quiet', quiet, now)
  end
  local waiting = 0
  if freed > 0 then waiting = redis.call('DEL', base .. ':waiting') end
  local found = totals(base, bucket, a.buckets)
  found.waiting = waiting
  found.freed = freed
  answers[n] = found
end
return cjson.encode(answers)
"""
)

# While a wave lasts: its slots are kept, and put back where Valkey lost them.
RENEW = (
    PACES
    + """
local now = clock()
for n, a in ipairs(cjson.decode(ARGV[1])) do
  local held = KEYS[n] .. ':slots'
  for i = 1, a.slots do redis.call('ZADD', held, now + a.lease_us, a.holder .. ':' .. i) end
  redis.call('PEXPIRE', held, math.ceil(a.lease_us / 1000) + 60000)
end
return #KEYS
"""
)

# For people: what the counters say now. Takes nothing.
LOOK = (
    PACES
    + WINDOW
    + """
local now, answers = clock(), {}
for n, a in ipairs(cjson.decode(ARGV[1])) do
  local base = KEYS[n]
  local found = totals(base, math.floor(now / (a.window_us / a.buckets)), a.buckets)
  found.used = redis.call('ZCOUNT', base .. ':slots', now, '+inf')
  found.workers = redis.call('ZCOUNT', base .. ':askers', now - a.recent_us, '+inf')
  found.quiet_ms = math.max(0, math.ceil((number(base .. ':quiet') - now) / 1000))
  found.left = {}
  for i, p in ipairs(a.paces) do
    local ahead = math.max(0, math.max(number(base .. ':rate:' .. p[1]), number(base .. ':plan:' .. p[1])) - now)
    found.left[i] = math.max(0, math.floor((p[3] + p[2] - ahead) / p[2]))
  end
  answers[n] = found
end
return cjson.encode(answers)
"""
)

# A circuit that closes begins with an empty window, else the failures that opened it would open it again.
FORGET = (
    PACES
    + """
local a = cjson.decode(ARGV[1])
local bucket = math.floor(clock() / (a.window_us / a.buckets))
for b = bucket - a.buckets, bucket do redis.call('DEL', KEYS[1] .. ':window:' .. string.format('%.0f', b)) end
if a.quiet then redis.call('DEL', KEYS[1] .. ':quiet') end
return 1
"""
)

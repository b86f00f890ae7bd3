-- accept: takes a valid promotion into the ledger, or names the one that it repeats.
-- arg: promotion {id, target, model, version, environment, accuracy, source, metrics, rollback}, idempotencyKey,
--      isKeptId (the caller gives the same id to the same news), seenMs (window of the deduplication by version),
--      keyMs (how long an idempotency key is kept), touch (see prelude)
-- answers {status = accepted | duplicate | key_reused, id, state, job, live}
local given = arg.promotion
local t = target(given.target)

local function answer(status, p)
  touch(p)
  return cjson.encode({ status = status, id = p.id, state = p.state, version = p.version, job = tonumber(p.job), live = p.liveBefore })
end

-- Sent again: the same promotion is there already.
local known = promotion(given.id)
if known then return answer('accepted', known) end

-- An end after which the same version may be offered anew.
local OPEN_AGAIN = { failed = true, cancelled = true, timed_out = true, dead_lettered = true, skipped = true }

-- A line break is in no name: it keeps `a/b` 1 and `a` `b/1` apart.
local seen_name = key('seen', given.target .. '\n' .. given.version)

local function standing(id)
  if not id or id == '' then return nil end
  local p = promotion(id)
  if p and p.version == given.version and not OPEN_AGAIN[p.state] then return p end
  return nil
end

local key_name = arg.idempotencyKey and key('key', arg.idempotencyKey)
if key_name then
  local first = redis.call('GET', key_name)
  local p = first and promotion(first)
  if p then
    if p.target == given.target and p.version == given.version then return answer('duplicate', p) end
    return answer('key_reused', p)
  end
else
  local same = standing(t.newest)
  if not same and not given.rollback then
    same = standing(t.livePromotion) or standing(redis.call('GET', seen_name))
  end
  if same then return answer('duplicate', same) end
end

-- First, since it may be refused: then nothing is left half done.
local older = t.pending and t.pending ~= '' and promotion(t.pending)
if older and maybe_sent(older) then keep_unsure(older) elseif older then supersede(older, given.id) end

-- An id that its caller keeps may have been accepted, and sent, in the last second before Redis was restarted: then
-- it is looked for before it is sent.
local forgotten_since = nil
if arg.isKeptId then
  -- Whole seconds: a second is added, so that what came after the start never counts as older.
  local uptime = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')) + 1
  local started = now - uptime * 1000
  local made = tonumber((string.gsub(string.sub(given.id, 1, 13), '-', '')), 16)
  if made < started then forgotten_since = math.max(started - 60000, now - 24 * 3600000) end
end

local p = {
  id = given.id, state = 'accepted', acceptedAt = int(now),
  seq = int(redis.call('HINCRBY', key('target', given.target), 'seq', 1)),
  target = given.target, model = given.model, version = given.version, environment = given.environment,
  accuracy = given.accuracy or '', source = given.source, metrics = given.metrics or '',
  rollback = given.rollback and '1' or '', idempotencyKey = arg.idempotencyKey or '',
  liveBefore = t.live or '', since = int(now), updatedAt = int(now), job = '1',
  attempts = '0', spent = '0', claims = '0', deadLetters = '0', wait = '',
  epoch = forgotten_since and '' or epoch(), forgottenSince = forgotten_since and int(forgotten_since) or '',
}
set(key('promotion', p.id), p)
redis.call('ZADD', key('state', 'accepted'), now, p.id)
redis.call('ZADD', key('promotions'), now, p.id)
redis.call('ZADD', key('targets'), now, p.target)
redis.call('HINCRBY', key('counters'), 'accepted', 1)
redis.call('SET', seen_name, p.id, 'PX', arg.seenMs)
if key_name then redis.call('SET', key_name, p.id, 'PX', arg.keyMs) end
note(p, 'accepted', { source = p.source, live = p.liveBefore })

set(key('target', p.target), { model = p.model, environment = p.environment, pending = p.id, newest = p.id })
return answer('accepted', p)

-- What every ledger script stands on. KEYS[1] is the prefix of all keys (one slot), ARGV[1] the arguments as
-- JSON. Answers are JSON. Time is Redis's own, in ms. Each script is atomic and harmless when it is replayed:
-- clients send again after a reconnect without knowing whether the first sending was carried out.
local prefix = KEYS[1]
local arg = cjson.decode(ARGV[1])
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local TIMELINE_LIMIT = 500
-- For how long it is remembered whose run a run is: longer than GitHub lets one live (35 days).
local RUN_MS = 90 * 24 * 3600000
-- For how long after a promotion's end an outcome that is told again is answered the same.
local ANSWER_MS = 3600000

-- Who may follow whom. Anything else is refused.
local MAY_BECOME = {
  accepted = { dispatching = true, superseded = true, skipped = true, dispatched = true, unresolved = true, dead_lettered = true },
  dispatching = { dispatched = true, accepted = true, superseded = true, skipped = true, dead_lettered = true, unresolved = true },
  unresolved = { dispatching = true, dispatched = true, accepted = true, superseded = true, skipped = true, dead_lettered = true },
  dispatched = { deployed = true, failed = true, cancelled = true, timed_out = true },
  dead_lettered = { accepted = true, superseded = true, skipped = true },
}
local TERMINAL = { deployed = true, failed = true, cancelled = true, timed_out = true, superseded = true, skipped = true }
-- Not an end, and news all the same.
local TOLD = { dispatched = true, unresolved = true, dead_lettered = true }

local function key(kind, name)
  return prefix .. ':' .. kind .. (name and (':' .. name) or '')
end

-- A line break is in no name: it keeps `a/b` 1 and `a` `b/1` apart.
local function seen_name(target_name, version)
  return key('seen', target_name .. '\n' .. version)
end

local function int(n)
  return string.format('%.0f', tonumber(n))
end

local function hash(name)
  local flat = redis.call('HGETALL', name)
  if #flat == 0 then return nil end
  local record = {}
  for i = 1, #flat, 2 do record[flat[i]] = flat[i + 1] end
  return record
end

local function promotion(id)
  local p = hash(key('promotion', id))
  -- Not kept after its end.
  if p and p.environment and not p.target then p.target = p.environment .. '/' .. p.model end
  return p
end

local function target(name)
  return hash(key('target', name)) or {}
end

-- Sent by `smoke-test`: in no figure, no list of targets and no news. Where it is `claim` it is never sent.
local function is_test(p)
  return (p.test or '') ~= ''
end

-- Sets fields of a hash from a table.
local function set(name, fields)
  local flat = {}
  for field, value in pairs(fields) do
    flat[#flat + 1] = field
    flat[#flat + 1] = type(value) == 'number' and int(value) or tostring(value)
  end
  redis.call('HSET', name, unpack(flat))
end

local function update(p, fields)
  for field, value in pairs(fields) do p[field] = type(value) == 'number' and int(value) or tostring(value) end
  fields.updatedAt = now
  set(key('promotion', p.id), fields)
end

-- A metric is a field of its own: Redis keeps a record compactly while none of its values is longer than 64 bytes.
local function is_metric(field)
  return string.sub(field, 1, 2) == 'm:' or field == 'metrics' -- all of them as JSON, by a former version
end

local function metrics_of(p)
  local metrics = {}
  for field, value in pairs(p) do
    if is_metric(field) then metrics[field] = value end
  end
  return metrics
end

-- How an attempt's end was answered: told again, it is answered the same.
local function remember_answer(p, told, answer)
  if not TERMINAL[p.state] then return update(p, { told = told, answer = answer }) end
  set(key('answer', p.id), { told = told, answer = answer })
  redis.call('PEXPIRE', key('answer', p.id), ANSWER_MS)
end

local function last_answer(p)
  return TERMINAL[p.state] and hash(key('answer', p.id)) or p
end

-- What comes before the rest of a run's address, which `scope` and `runId` say.
local function site_of(record)
  local url, repository = record.runUrl or '', string.match(record.scope or '', '^[^/]+/[^/]+')
  local rest = '/' .. (repository or '') .. '/actions/runs/' .. (record.runId or '')
  return string.sub(url, -#rest) == rest and string.sub(url, 1, -#rest - 1) or nil
end

-- Most of what is kept has ended. Its record is written anew, with what is asked for afterwards and nothing else;
-- what its readers can tell (`promotion-record.ts`) is left out.
local function keep_end(p)
  local KEPT = {
    id = true, state = true, model = true, version = true, environment = true, accuracy = true,
    source = true, test = true, seq = true, rollback = true, parent = true, liveBefore = true, replaced = true,
    supersededBy = true, rolledBackBy = true, reason = true, discarded = true, attempts = true, deadLetters = true,
    scope = true, runId = true, runUrl = true, runSite = true, runAttempt = true, conclusion = true, waitedMs = true,
    acceptedAt = true, promotedAt = true, dispatchedAt = true, endedAt = true, traceparent = true, tracestate = true,
    job = true,
  }
  local record = promotion(p.id)
  if record.told then remember_answer(p, record.told, record.answer) end
  record.runSite = site_of(record)
  if record.runSite then record.runUrl = nil end
  if record.deadLetters == '0' then record.deadLetters = nil end
  for field, value in pairs(record) do
    if value == '' or not (KEPT[field] or is_metric(field)) then record[field] = nil end
  end
  redis.call('DEL', key('promotion', p.id))
  set(key('promotion', p.id), record)
end

-- WAIT speaks of what its own connection has written. An answer that repeats what another has recorded is to be
-- waited for too: `arg.touch` has it write something.
local function touch(p)
  if arg.touch then redis.call('HSET', key('promotion', p.id), 'touchedAt', int(now)) end
end

-- Adds an entry to the promotion's timeline. What the record says anyway is put in by who reads it (`timeline.ts`).
local function note(p, what, fields)
  local name, entry = key('timeline', p.id), { what, now, fields and next(fields) and fields or nil }
  if redis.call('RPUSH', name, cjson.encode(entry)) > TIMELINE_LIMIT then redis.call('LTRIM', name, -TIMELINE_LIMIT, -1) end
end

local function end_doubt(p)
  if (p.doubt or '') == '' then return end
  redis.call('ZREM', key('doubts', p.scope), p.id)
  update(p, { doubt = '' })
end

-- News for those who want to know (worker/feedback). The number makes it one of its kind: a state may come twice.
local function announce(p, state)
  if is_test(p) then return end
  local n = redis.call('HINCRBY', key('promotion', p.id), 'news', 1)
  redis.call('ZADD', key('news'), now, p.id .. ' ' .. state .. ' ' .. int(n))
end

-- Moves a promotion to another state, which ends a doubt; fields are stored with it. Refuses what the table above does
-- not know. Nothing but what is to be kept is to be stored in it after its end.
local function move(p, to, fields)
  local from = p.state
  if not (MAY_BECOME[from] and MAY_BECOME[from][to]) then
    error({ err = 'ILLEGAL transition of ' .. p.id .. ' from ' .. tostring(from) .. ' to ' .. to })
  end
  end_doubt(p)
  redis.call('ZREM', key('state', from), p.id)
  -- Nobody is to wait for a smoke test, or to be called for one: its job alone brings it on.
  if TERMINAL[to] or (is_test(p) and to == 'dead_lettered') then
    redis.call('ZADD', key('ended'), now, p.id)
  elseif not (is_test(p) and to == 'accepted') then
    redis.call('ZADD', key('state', to), p.acceptedAt, p.id)
  end
  fields = fields or {}
  fields.state = to
  fields.since = now
  fields.wait = ''
  if TERMINAL[to] then fields.endedAt = now end
  -- Before `live` moves.
  if to == 'deployed' then fields.replaced = redis.call('HGET', key('target', p.target), 'live') or '' end
  if TERMINAL[to] or to == 'dead_lettered' then redis.call('SREM', key('unsure', p.target), p.id) end
  update(p, fields)
  if TERMINAL[to] or TOLD[to] then announce(p, to) end
  if TERMINAL[to] then keep_end(p) end
end

-- The stop on a target. A person's (`kind`) stops all of its promotions; either kind may block versions that were
-- rolled back from (`versions`): they are not taken in again. The rollback itself (`passes`) goes.
local function hold_of(name)
  local text = redis.call('HGET', key('target', name), 'hold')
  return text and text ~= '' and cjson.decode(text) or nil
end

local function set_hold(name, hold)
  set(key('target', name), { hold = hold and cjson.encode(hold) or '' })
  if hold then redis.call('HSET', key('holds'), name, hold.kind) else redis.call('HDEL', key('holds'), name) end
end

local function blocks(hold, version)
  for _, blocked in ipairs(hold and hold.versions or {}) do
    if blocked == version then return true end
  end
  return false
end

-- What was rolled back from is free again; a person's stop stays.
local function unblock(name, hold)
  if not (hold and hold.versions) then return end
  hold.versions = nil
  set_hold(name, hold.kind == 'person' and hold or nil)
end

-- A newer promotion of the same target takes the place of a waiting one.
local function supersede(p, by)
  move(p, 'superseded', { supersededBy = by })
  note(p, 'superseded', { by = by })
  if not is_test(p) then redis.call('HINCRBY', key('counters'), 'superseded', 1) end
end

-- A new number for the promotion's next job: BullMQ silently drops an id that still exists.
local function next_job(id)
  return redis.call('HINCRBY', key('promotion', id), 'job', 1)
end

-- Whom to wake once the place in flight is free: the target's pending promotion with a fresh job number.
local function to_wake(name)
  local t = target(name)
  if (t.inFlight or '') ~= '' or (t.pending or '') == '' then return nil end
  return { id = t.pending, job = next_job(t.pending) }
end

-- Counts an end for a success ratio (`triggers` or `deployments`), by minute, in one hash an hour.
local function count_end(kind, good)
  local minute = math.floor(now / 60000)
  local name = key(kind, int(math.floor(minute / 60)))
  local count = redis.call('HINCRBY', name, int(minute) .. (good and ':good' or ':bad'), 1)
  if count == 1 then redis.call('EXPIRE', name, 26 * 3600) end
  return minute
end

local function count_trigger(good)
  return count_end('triggers', good)
end

-- It was held to be bad, and has turned out to be good: it is not to count as both.
local function uncount_trigger(minute)
  local name, field = key('triggers', int(math.floor(minute / 60))), int(minute) .. ':bad'
  if redis.call('HEXISTS', name, field) == 1 then redis.call('HINCRBY', name, field, -1) end
end

-- A run belongs to one promotion. False if it is another's.
local function own_run(p, run_id)
  local owner = redis.call('SET', key('run', run_id), p.id, 'PX', RUN_MS, 'NX', 'GET')
  return not owner or owner == p.id
end

local function circuit(scope)
  return hash(key('circuit', scope))
end

-- Redis's own run id: another one means a restart or a failover, and maybe a lost second.
local known_epoch = nil
local function epoch()
  known_epoch = known_epoch or string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''
  return known_epoch
end

-- Accepted under a former run of Redis: it may have been sent, and the ledger have forgotten so.
local function maybe_sent(p)
  return (p.doubt or '') ~= '' or p.epoch ~= epoch()
end

-- A newer promotion takes its place in the queue; while it may have been sent it is looked for first, and the newer
-- one waits for that, and for the end of its run.
local function keep_unsure(p)
  redis.call('SADD', key('unsure', p.target), p.id)
end

-- Doubt: a run may exist that the ledger does not know. `unknown`: an attempt's end was not told. `epoch`: Redis
-- may have forgotten that it was sent, or sent again; then the doubt counts from when it was noticed. The resolver
-- looks; until then nothing is sent.
local function doubt(p, why)
  local present = epoch()
  if p.epoch ~= present then why = 'epoch' end
  if p.doubt == why and p.doubtEpoch == present then return end
  if why == 'epoch' and redis.call('HEXISTS', key('adjustments', p.scope), 'input:promotion_id') == 1 then
    update(p, { unnamed = 1 })
  end
  redis.call('ZADD', key('doubts', p.scope), now, p.id)
  local waiting = cjson.encode({ code = 'resolving', detail = '', untilMs = now })
  update(p, { doubt = why, doubtSince = now, doubtEpoch = present, looksBefore = p.looks or 0, wait = waiting })
  note(p, 'in_doubt', { why = why, attempt = tonumber(p.attempts) })
end

-- A person has decided that it is not to be sent any more.
local function discard(p)
  move(p, 'skipped', { reason = p.discarded })
  note(p, 'skipped', { reason = p.reason })
end

-- The attempt sent nothing, or is proven to have started nothing: the place is free, and a newer one goes first. Answers whom to wake if it gave way.
local function give_way(p)
  local name = key('target', p.target)
  local newer, in_flight = unpack(redis.call('HMGET', name, 'newest', 'inFlight'))
  if in_flight == p.id then set(name, { inFlight = '' }) end
  if (p.discarded or '') ~= '' then
    discard(p)
    return { kind = 'discarded', wake = to_wake(p.target) }
  end
  if newer == p.id then return nil end
  supersede(p, newer)
  return { kind = 'superseded', by = newer, wake = to_wake(p.target) }
end

-- Back to waiting for its turn.
local function put_back(p, fields)
  if p.state == 'accepted' then update(p, fields) else move(p, 'accepted', fields) end
  set(key('target', p.target), { pending = p.id })
  redis.call('SREM', key('unsure', p.target), p.id)
end

-- It ends up with a person. Answers the number of the dead letter.
local function bury(p, state, outcome, reason)
  local n = p.deadLetters + 1
  move(p, state, { reason = reason, outcome = outcome, deadLetters = n })
  note(p, state, { reason = reason, number = n })
  if not is_test(p) then update(p, { buriedMinute = count_trigger(false) }) end
  return n
end

-- The place in flight is this promotion's, also where the ledger had forgotten so.
local function take_place(p)
  local name = key('target', p.target)
  local pending, in_flight = unpack(redis.call('HMGET', name, 'pending', 'inFlight'))
  if pending == p.id then set(name, { pending = '' }) end
  if not in_flight or in_flight == '' then set(name, { inFlight = p.id }) end
end

-- Its run is known, or at least that there is one.
local function to_tracking(p, run_id, run_url)
  end_doubt(p)
  if p.state == 'unresolved' and p.buriedMinute then uncount_trigger(tonumber(p.buriedMinute)) end
  move(p, 'dispatched', {
    dispatchedAt = now, runId = run_id or '', runUrl = run_url or '', runStatus = 'requested', reason = '', claims = 0,
  })
  take_place(p)
  if p.runId == '' then redis.call('ZADD', key('searching', p.scope), now, p.id) end
  note(p, 'dispatched', { runId = p.runId })
  if not is_test(p) then count_trigger(true) end
  return { kind = 'track', job = redis.call('HINCRBY', key('promotion', p.id), 'trackJob', 1), waitedMs = now - tonumber(p.acceptedAt) }
end

-- Answers which opening it closed, if it was open.
local function close_circuit(scope)
  local number = redis.call('HGET', key('circuit', scope), 'number')
  redis.call('SREM', key('circuits'), scope)
  redis.call('DEL', key('circuit', scope))
  return number and { scope = scope, number = tonumber(number) } or nil
end

-- Records a new promotion: as its target's pending and newest one, in place of one that waits there; or at its end at
-- once, where it is to be skipped or something newer was accepted already.
-- given: see accept (metrics: by field); about: idempotencyKey, isKeptId, seenMs, keyMs, skip (why) or by_newer (its id), parent, by, why
local function take_in(given, about)
  local name = key('target', given.target)
  local waiting, live = unpack(redis.call('HMGET', name, 'pending', 'live'))
  -- First, since it may be refused: then nothing is left half done.
  local over = about.skip and 'skipped' or about.by_newer and 'superseded' or nil
  local older = not over and waiting and waiting ~= '' and promotion(waiting)
  if older and maybe_sent(older) then keep_unsure(older) elseif older then supersede(older, given.id) end

  -- An id that its caller keeps may have been accepted, and sent, in the last second before Redis was restarted: then
  -- it is looked for before it is sent.
  local forgotten_since = nil
  if about.isKeptId then
    -- Whole seconds: a second is added, so that what came after the start never counts as older.
    local uptime = tonumber(string.match(redis.call('INFO', 'server'), 'uptime_in_seconds:(%d+)')) + 1
    local started = now - uptime * 1000
    local made = tonumber((string.gsub(string.sub(given.id, 1, 13), '-', '')), 16)
    if made < started then forgotten_since = math.max(started - 60000, now - 24 * 3600000) end
  end

  local p = {
    id = given.id, state = over or 'accepted', acceptedAt = int(now),
    seq = int(redis.call('HINCRBY', name, 'seq', 1)),
    target = given.target, model = given.model, version = given.version, environment = given.environment,
    accuracy = given.accuracy or '', source = given.source,
    rollback = given.rollback and '1' or '', parent = about.parent,
    liveBefore = live or '', since = int(now), updatedAt = int(now), job = '1',
    attempts = '0', spent = '0', claims = '0', deadLetters = '0', wait = '', reason = about.skip, supersededBy = about.by_newer,
    promotedAt = given.promotedAt and int(math.min(given.promotedAt, now)),
    epoch = forgotten_since and '' or epoch(), forgottenSince = forgotten_since and int(forgotten_since) or '',
    traceparent = given.traceparent, tracestate = given.tracestate, test = given.test,
    -- The place in the rate budget is passed on: else each newer one would go to the end of the line, and the places of
    -- those that it replaced pass unused.
    slotAt = older and older.state == 'superseded' and older.slotAt or nil,
  }
  for field, value in pairs(given.metrics or {}) do p[field] = value end
  if over then p.endedAt = p.since end
  set(key('promotion', p.id), p)
  redis.call('ZADD', key('history', p.model), now, p.id)
  if not is_test(p) then
    redis.call('ZADD', key('promotions'), now, p.id)
    redis.call('ZADD', key(over and 'ended' or 'state', not over and 'accepted' or nil), now, p.id)
    redis.call('ZADD', key('targets'), now, p.target)
    redis.call('ZADD', key('targets', p.model), now, p.target)
    redis.call('HINCRBY', key('counters'), 'accepted', 1)
  end
  redis.call('SET', seen_name(given.target, given.version), p.id, 'PX', about.seenMs)
  if about.idempotencyKey then redis.call('SET', key('key', about.idempotencyKey), p.id, 'PX', about.keyMs) end
  note(p, 'accepted', { by = about.by, why = about.why })
  if over == 'superseded' then redis.call('HINCRBY', key('counters'), 'superseded', 1) end
  if over then
    announce(p, over)
    keep_end(p)
    note(p, over, { reason = about.skip, by = about.by_newer })
  else
    set(name, { model = p.model, environment = p.environment, pending = p.id, newest = p.id })
  end
  return p
end

-- Takes in the version that is to go live again, and blocks the one that it was rolled back from.
-- order: id, target, to, from, source, parent, by, why, isKeptId, seenMs, traceparent, tracestate
local function roll_back(order)
  local t, hold = target(order.target), hold_of(order.target)
  local seen = redis.call('GET', seen_name(order.target, order.to))
  -- Its figures are those of when it was promoted.
  local former = {}
  for _, id in ipairs({ t.livePromotion or '', t.previousPromotion or '', seen or '' }) do
    local p = id ~= '' and promotion(id)
    if p and p.version == order.to then
      former = p
      break
    end
  end
  local p = take_in({
    id = order.id, target = order.target, model = t.model, environment = t.environment, version = order.to,
    accuracy = former.accuracy, metrics = metrics_of(former), source = order.source, rollback = true,
    traceparent = order.traceparent, tracestate = order.tracestate,
  }, order)

  hold = hold or { kind = 'rollback', by = order.by, why = order.why, since = now }
  local versions = {}
  for _, version in ipairs(hold.versions or {}) do
    if version ~= order.to and version ~= order.from then versions[#versions + 1] = version end
  end
  if order.from ~= order.to and order.from ~= '' then versions[#versions + 1] = order.from end
  hold.versions = #versions > 0 and versions or nil
  hold.passes = p.id
  -- Back to the only one that was blocked: nothing is any more.
  set_hold(order.target, (hold.kind == 'person' or hold.versions) and hold or nil)
  redis.call('HINCRBY', key('counters'), order.parent and 'rollbacks:automated' or 'rollbacks:manual', 1)
  return p
end

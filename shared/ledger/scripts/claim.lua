-- claim: may this promotion be sent now? Records the intent and marks its target in flight before anything is.
-- arg: id, token (one a claim), worker, enabled, repository, workflow, slotMs (1 / rate), uncertainMs (after the
--      intent, an attempt that has told nothing may still be under way for this long), recheckMs, maxClaims, touch (see prelude)
-- answers {kind = done, state, test (it was a smoke test, which ends here)} | {kind = wait, waitMs, code, detail} | {kind = dead_letter, deadLetter, wake} |
--         {kind = go, attempt, spent, promotion, refused}
-- A smoke test that no worker has sent until then is not sent any more: whoever sent it has gone.
local TEST_MS = 10 * 60000

local p = promotion(arg.id)
if not p then return cjson.encode({ kind = 'done', state = 'unknown' }) end
local scope = arg.repository .. '/' .. arg.workflow

local function go()
  touch(p)
  local refused = redis.call('HKEYS', key('adjustments', scope))
  return cjson.encode({
    kind = 'go', attempt = tonumber(p.attempts), spent = tonumber(p.spent), promotion = p,
    refused = table.concat(refused, ','),
  })
end

-- Remembers why it waits; the timeline gets an entry for each new reason, not for each look.
local function wait(code, wait_ms, detail)
  detail = detail or ''
  local last = p.wait ~= '' and cjson.decode(p.wait) or {}
  if last.code ~= code or last.detail ~= detail then note(p, 'waiting', { code = code, detail = detail }) end
  update(p, { wait = cjson.encode({ code = code, detail = detail, untilMs = now + wait_ms }) })
  return cjson.encode({ kind = 'wait', waitMs = wait_ms, code = code, detail = detail })
end

if p.state == 'dispatching' then
  if (p.doubt or '') == '' then
    if p.token == arg.token then return go() end
    local over = tonumber(p.intentAt) + arg.uncertainMs
    if now < over then return wait('earlier_attempt', over - now, p.worker) end
  end
  -- The worker that sent it ended before it could tell how it went.
  doubt(p, 'unknown')
  return wait('resolving', arg.recheckMs)
end
if p.state ~= 'accepted' then return cjson.encode({ kind = 'done', state = p.state }) end

-- A smoke test that is not to be sent ends here, before anything else could become of it. What a promotion would meet
-- is told with it.
if p.test == 'claim' then
  local meets = not arg.enabled and 'ENABLE_CD_TRIGGER is off: promotions are skipped' or nil
  for _, name in ipairs({ arg.repository, scope }) do
    local c = circuit(name)
    if c then meets = 'promotions wait: ' .. name .. ': ' .. c.detail end
  end
  local reason = 'a smoke test, which is not sent'
  update(p, { state = 'skipped', since = now, endedAt = now, worker = arg.worker, reason = reason })
  note(p, 'skipped', { reason = reason, worker = arg.worker, meets = meets })
  return cjson.encode({ kind = 'done', state = 'skipped', test = true })
end

local t = target(p.target)
if t.pending ~= p.id then
  if not maybe_sent(p) then
    supersede(p, t.newest)
    return cjson.encode({ kind = 'done', state = 'superseded' })
  end
  keep_unsure(p)
  p.scope = scope
  update(p, { scope = scope })
  if (p.doubt or '') == '' then doubt(p, 'epoch') end
  return wait('resolving', arg.recheckMs)
end
local given_up = is_test(p) and now - tonumber(p.acceptedAt) > TEST_MS
if (not arg.enabled or given_up) and not maybe_sent(p) then
  move(p, 'skipped', { reason = given_up and 'a smoke test that nobody waits for' or 'trigger disabled (ENABLE_CD_TRIGGER)' })
  note(p, 'skipped', { reason = p.reason })
  set(key('target', p.target), { pending = '' })
  return cjson.encode({ kind = 'done', state = 'skipped', test = is_test(p) or nil })
end
local hold = hold_of(p.target)
if hold and hold.passes ~= p.id and (hold.kind == 'person' or blocks(hold, p.version)) then
  return wait('held', arg.recheckMs, hold.by .. (hold.why and ': ' .. hold.why or ''))
end
if (t.inFlight or '') ~= '' then
  return wait('in_flight', arg.recheckMs, redis.call('HGET', key('promotion', t.inFlight), 'version') or '')
end
-- An older one may have been sent before Redis was restarted: its run, if there is one, comes first.
if redis.call('SCARD', key('unsure', p.target)) > 0 then return wait('resolving_other', arg.recheckMs) end

-- Redis was restarted since this was accepted: it may have been sent, and the ledger not know.
if p.epoch ~= epoch() then
  p.scope = scope
  update(p, { scope = scope })
  doubt(p, 'epoch')
end
if (p.doubt or '') ~= '' then return wait('resolving', arg.recheckMs) end
if tonumber(p.notBefore or 0) > now then return wait('back_off', p.notBefore - now, p.reason) end

-- Circuits: while one is open nothing is sent. Half-open, the first to come is the probe.
local probes = {}
for _, name in ipairs({ arg.repository, scope }) do
  local c = circuit(name)
  if c then
    if c.halfOpen ~= '1' then return wait('circuit', arg.recheckMs, name .. ': ' .. c.detail) end
    local busy = tonumber(c.probeUntil or 0) - now
    if busy > 0 then return wait('circuit', busy, name .. ': ' .. c.detail) end
    probes[#probes + 1] = name
  end
end

-- Where runs can't be told apart, one unknown at a time: the window in which its run is looked for must stay free
-- of our own.
local unnamed = redis.call('HEXISTS', key('adjustments', scope), 'input:promotion_id')
if redis.call('EXISTS', key('proven', scope)) == 0 or unnamed == 1 then
  local unknown = redis.call('ZCARD', key('doubts', scope))
  if unknown > 0 then return wait('resolving_other', math.min(arg.recheckMs, 5000)) end
end
-- Ten times somebody began and nobody told an end: this one breaks those who touch it.
if tonumber(p.claims) >= arg.maxClaims then
  set(key('target', p.target), { pending = '' })
  local n = bury(p, 'dead_lettered', 'no_outcome', p.claims .. ' attempts ended without an outcome')
  return cjson.encode({ kind = 'dead_letter', deadLetter = n, wake = to_wake(p.target) })
end

-- The rate budget: the next free slot is reserved for this promotion. A slot long past (no worker was there)
-- is not used, so that a pile of old slots makes no burst.
local slot = tonumber(p.slotAt or 0)
if slot < now - math.max(2000, arg.slotMs) then
  local rate = key('rate', arg.repository)
  slot = math.max(now, tonumber(redis.call('GET', rate) or 0))
  redis.call('SET', rate, int(slot + arg.slotMs), 'PX', int(slot + arg.slotMs - now + 60000))
  update(p, { slotAt = slot })
end
if slot > now then return wait('rate', slot - now) end

for _, name in ipairs(probes) do set(key('circuit', name), { probeUntil = now + arg.uncertainMs }) end
move(p, 'dispatching', {
  token = arg.token, worker = arg.worker, scope = scope, intentAt = now, unnamed = unnamed, slotAt = 0, notBefore = 0,
  attempts = p.attempts + 1, claims = p.claims + 1,
})
set(key('target', p.target), { inFlight = p.id, pending = '' })
note(p, 'dispatching', { attempt = tonumber(p.attempts), worker = arg.worker })
return go()

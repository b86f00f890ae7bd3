-- outcome: how an attempt ended, and what follows. Only the attempt's own token may tell; told twice it answers
-- the same, until an hour after the promotion's end. What is certain counts also when it comes late; what is not,
-- never undoes anything.
-- arg: id, attempt, token, outcome (its name), detail (in words), status, next = {kind = track, runId, runUrl} |
--      {kind = again, delayMs, spend, circuit = {scope, reason, waitMs, untilReset}} | {kind = dead_letter, exhausted} |
--      {kind = unknown}; scopes (circuits that a success closes), circuitMaxMs, recheckMs, fault (no answer came, or
--      a 5xx: counts towards opening the repository's circuit), faultsToOpen, faultPauseMs,
--      adjust = {scope, fields} (what a workflow refuses is remembered for a day, then tried again)
-- answers {kind = track, job, waitedMs} | {kind = again, waitMs} | {kind = superseded, by, wake} |
--         {kind = dead_letter, deadLetter, wake} | {kind = resolving, waitMs} | {kind = stale, state}; each with
--         opened (scope of a circuit that was closed before) or closed (scopes)
local p = promotion(arg.id)
if not p then return cjson.encode({ kind = 'stale', state = 'unknown' }) end
local told = arg.attempt .. ':' .. arg.next.kind
local last = last_answer(p)
if last.told == told then return last.answer end

local kind = arg.next.kind
local mine = p.token == arg.token
local open = mine and (p.state == 'dispatching' or (p.state == 'unresolved' and kind ~= 'unknown'))
-- Its run is told although Redis has lost the claim of this attempt, or although it counted as absent: it is taken
-- up as long as nothing else was sent.
local forgotten = tonumber(p.attempts) < arg.attempt
local late_run = kind == 'track' and p.state == 'accepted' and (mine or forgotten)
if not open and not late_run then return cjson.encode({ kind = 'stale', state = p.state }) end
if kind == 'unknown' and (p.doubt or '') ~= '' then return cjson.encode({ kind = 'resolving', waitMs = arg.recheckMs }) end

if late_run and forgotten then update(p, { attempts = arg.attempt, token = arg.token, intentAt = now, scope = arg.scopes[2] }) end
local plain = arg.detail == 'GitHub answered ' .. arg.status -- which readers put in
note(p, 'outcome', {
  attempt = arg.attempt, outcome = arg.outcome, detail = not plain and arg.detail or nil, status = arg.status,
  tookMs = now - tonumber(p.intentAt),
})
if kind ~= 'unknown' then update(p, { claims = 0 }) end

if arg.adjust then
  local name = key('adjustments', arg.adjust.scope)
  for _, field in ipairs(arg.adjust.fields) do
    redis.call('HSET', name, field, '1')
    -- Without it no run shows the promotion's id.
    if field == 'input:promotion_id' then
      redis.call('DEL', key('proven', arg.adjust.scope))
      update(p, { unnamed = 1 })
    end
  end
  redis.call('PEXPIRE', name, 24 * 3600000, 'NX')
end

local extra = {}
local function answer(fields)
  for field, value in pairs(extra) do fields[field] = value end
  local text = cjson.encode(fields)
  remember_answer(p, told, text)
  return text
end

-- In the air already when the circuit last failed: it tells nothing new of it.
local function late(open)
  return open and tonumber(p.intentAt) <= tonumber(open.failedAt or 0)
end

-- Opens a circuit, or lets an open one pause longer.
local function open_circuit(scope, reason, pause_ms, until_reset)
  local before = circuit(scope)
  if late(before) then
    -- No further failure; but GitHub may have named a later time.
    if until_reset and now + pause_ms > tonumber(before['until']) then
      set(key('circuit', scope), { ['until'] = now + pause_ms })
    end
    return
  end
  local failures = tonumber(before and before.failures or 0) + 1
  local pause = until_reset and pause_ms or math.min(pause_ms * 2 ^ (failures - 1), arg.circuitMaxMs)
  if not before then extra.opened = { scope = scope, number = redis.call('HINCRBY', key('openings'), scope, 1) } end
  set(key('circuit', scope), {
    reason = reason, detail = arg.detail, since = before and before.since or now, ['until'] = now + pause,
    failures = failures, halfOpen = 0, probeUntil = 0, probing = 0, number = redis.call('HGET', key('openings'), scope),
    pauseMs = until_reset and 0 or pause_ms, failedAt = now,
  })
  redis.call('SADD', key('circuits'), scope)
end

-- Several in a row that got no answer: the repository's circuit opens. What was never sent tells nothing.
local answered = kind == 'track' or arg.status > 0
local faults = key('faults', arg.scopes[1])
if arg.fault then
  if redis.call('INCR', faults) >= arg.faultsToOpen then
    open_circuit(arg.scopes[1], 'outage', arg.faultPauseMs, false)
    redis.call('DEL', faults)
  end
  redis.call('PEXPIRE', faults, 600000)
elseif answered then
  redis.call('DEL', faults)
end

-- GitHub looks at credentials and repository first, then at the workflow: an answer closes what it has passed.
local at_fault = kind == 'again' and arg.next.circuit and arg.next.circuit.scope
local closed = {}
for _, scope in ipairs(arg.scopes) do
  if arg.fault or not answered or at_fault == scope then break end
  local open = circuit(scope)
  if open and not late(open) then closed[#closed + 1] = close_circuit(scope) end
end
if #closed > 0 then extra.closed = closed end

if kind == 'track' then
  if arg.next.runId then own_run(p, arg.next.runId) end
  return answer(to_tracking(p, arg.next.runId, arg.next.runUrl))
end

if kind == 'unknown' then
  doubt(p, 'unknown')
  return answer({ kind = 'resolving', waitMs = arg.recheckMs })
end

end_doubt(p)
if kind == 'again' then
  local c = arg.next.circuit
  if c then open_circuit(c.scope, c.reason, c.waitMs, c.untilReset) end
  local gave_way = give_way(p)
  if gave_way then return answer(gave_way) end
  put_back(p, {
    notBefore = now + arg.next.delayMs, reason = arg.detail, outcome = arg.outcome,
    spent = p.spent + (arg.next.spend and 1 or 0),
  })
  local delay = arg.next.delayMs
  if delay > 0 and not c then
    update(p, { wait = cjson.encode({ code = 'back_off', detail = arg.detail, untilMs = now + delay }) })
  elseif c then
    update(p, { wait = cjson.encode({ code = 'circuit', detail = c.scope .. ': ' .. arg.detail, untilMs = now }) })
  end
  return answer({ kind = 'again', waitMs = delay })
end

-- The promotion's own fault is a dead letter; one that only had no luck gives way to a newer one.
if arg.next.exhausted then
  local gave_way = give_way(p)
  if gave_way then return answer(gave_way) end
end
local n = bury(p, 'dead_lettered', arg.outcome, arg.detail)
set(key('target', p.target), { inFlight = '' })
return answer({ kind = 'dead_letter', deadLetter = n, wake = to_wake(p.target) })

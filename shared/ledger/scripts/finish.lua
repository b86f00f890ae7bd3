-- finish: the run has completed. Writes the end, moves `live`, frees the target and says whom to wake.
-- Where asked to, it puts the version that was live back, and holds the failed one: accept and hold within this script.
-- arg: id, runId, runUrl, runAttempt, state (deployed | failed | cancelled | timed_out), conclusion, updatedAt,
--      rollbackId (of the promotion that is to put the live version back; none: no rollback), seenMs
-- answers {finished, state, wake, rollback = {id, version}, sinceAcceptedMs, waitedMs, toStartMs, ranMs}; the last two
--         where it was seen running
local p = promotion(arg.id)
if not p then return cjson.encode({ finished = false, state = 'unknown' }) end
local finished = p.state == 'dispatched' and ((p.runId or '') == '' or p.runId == arg.runId) and own_run(p, arg.runId)
-- The end of an attempt that a person has begun anew meanwhile is none.
if finished and tonumber(arg.runAttempt) < tonumber(p.runAttempt or 0) then finished = false end
if finished then
  redis.call('ZREM', key('searching', p.scope), p.id)
  move(p, arg.state, {
    runId = arg.runId, runUrl = arg.runUrl, runAttempt = arg.runAttempt, runStatus = 'completed',
    conclusion = arg.conclusion, reason = '',
  })
  note(p, arg.state)
  if not is_test(p) then redis.call('HINCRBY', key('counters'), 'deployments:' .. arg.conclusion, 1) end
  -- Who cancels a run says nothing of whether deployments succeed.
  if arg.state ~= 'cancelled' and not is_test(p) then count_end('deployments', arg.state == 'deployed') end
  local fields = {}
  -- A run that a person started again may have succeeded later, and been told sooner.
  local at, t = tonumber(arg.updatedAt or 0), target(p.target)
  local overtaken = at > 0 and at < tonumber(t.liveAt or 0)
  if arg.state == 'deployed' and not overtaken then
    fields = { live = p.version, livePromotion = p.id, liveRun = arg.runId, liveSince = now }
    if (t.live or '') ~= p.version then fields.previous, fields.previousPromotion = t.live or '', t.livePromotion or '' end
    if at > 0 then fields.liveAt = at end
    if (t.drift or '') ~= '' then fields.drift = '' end
  elseif arg.state == 'deployed' and (t.drift or '') == '' then
    local live = promotion(t.livePromotion)
    if live and tonumber(live.seq) < tonumber(p.seq) then
      fields.drift = cjson.encode({ runId = t.liveRun, attempt = tonumber(live.runAttempt), instead = p.version })
      redis.call('HINCRBY', key('counters'), 'drifts', 1)
    end
  end
  if redis.call('HGET', key('target', p.target), 'inFlight') == p.id then fields.inFlight = '' end
  if next(fields) then set(key('target', p.target), fields) end
end
-- What was live goes live again, unless something newer is about to, or a person holds the target. Never from a
-- rollback: what that has put in place is not known to be better; nor for a smoke test.
local rollback = nil
if finished and arg.rollbackId and p.rollback ~= '1' and not is_test(p) then
  local t, hold = target(p.target), hold_of(p.target)
  local is_free = (t.pending or '') == '' and not (hold and hold.kind == 'person')
  if is_free and (t.live or '') ~= '' and t.live ~= p.version then
    rollback = roll_back({
      id = arg.rollbackId, isKeptId = true, target = p.target, to = t.live, from = p.version, parent = p.id,
      source = 'automated_rollback', by = 'automated rollback', why = 'the run of version ' .. p.version .. ' failed',
      seenMs = arg.seenMs, traceparent = p.traceparent, tracestate = p.tracestate,
    })
    update(p, { rolledBackBy = rollback.id })
    note(p, 'rolled_back', { version = rollback.version, id = rollback.id })
  end
end
local started = tonumber(p.startedAt or '')
-- Also when told twice: the first to tell may have died before it woke anybody.
return cjson.encode({
  finished = finished, state = p.state, wake = to_wake(p.target),
  rollback = rollback and { id = rollback.id, version = rollback.version }, sinceAcceptedMs = now - tonumber(p.acceptedAt),
  toStartMs = started and started - tonumber(p.dispatchedAt), ranMs = started and now - started,
  waitedMs = tonumber(p.waitedMs or 0),
})

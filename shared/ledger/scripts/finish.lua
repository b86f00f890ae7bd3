-- finish: the run has completed. Writes the end, moves `live`, frees the target and says whom to wake.
-- arg: id, runId, runUrl, runAttempt, state (deployed | failed | cancelled | timed_out), conclusion, updatedAt
-- answers {finished, state, wake, sinceAcceptedMs, waitedMs, toStartMs, ranMs}; the last two where it was seen running
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
  note(p, arg.state, { conclusion = arg.conclusion, runId = arg.runId })
  redis.call('HINCRBY', key('counters'), 'deployments:' .. arg.conclusion, 1)
  -- Who cancels a run says nothing of whether deployments succeed.
  if arg.state ~= 'cancelled' then count_end('deployments', arg.state == 'deployed') end
  local fields = {}
  -- A run that a person started again may have succeeded later, and been told sooner.
  local at, t = tonumber(arg.updatedAt or 0), target(p.target)
  local overtaken = (t.drift or '') ~= '' and at > 0 and at < tonumber(t.liveAt or 0)
  if arg.state == 'deployed' and not overtaken then
    fields = { live = p.version, livePromotion = p.id, liveRun = arg.runId, liveSince = now }
    if at > 0 then fields.liveAt = at end
    if (t.drift or '') ~= '' then fields.drift = '' end
  end
  if redis.call('HGET', key('target', p.target), 'inFlight') == p.id then fields.inFlight = '' end
  if next(fields) then set(key('target', p.target), fields) end
end
local started = tonumber(p.startedAt or '')
-- Also when told twice: the first to tell may have died before it woke anybody.
return cjson.encode({
  finished = finished, state = p.state, wake = to_wake(p.target), sinceAcceptedMs = now - tonumber(p.acceptedAt),
  toStartMs = started and started - tonumber(p.dispatchedAt), ranMs = started and now - started,
  waitedMs = tonumber(p.waitedMs or 0),
})

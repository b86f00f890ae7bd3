-- rerun: a person has started a promotion's run again after its end, and that has ended too. The promotion's own end
-- stands; `live` follows a success, unless what is live has succeeded later by GitHub's time.
-- arg: id, runId, runAttempt, success, conclusion, updatedAt
-- answers {kind = noted, live (the version that was live before, where another one is now)} | {kind = stale, state}
local p = promotion(arg.id)
if not p or not TERMINAL[p.state] or p.runId ~= arg.runId or arg.runAttempt <= tonumber(p.runAttempt or 0) then
  return cjson.encode({ kind = 'stale', state = p and p.state or 'unknown' })
end
update(p, { runAttempt = arg.runAttempt })
note(p, 'rerun', { runId = arg.runId, attempt = arg.runAttempt, conclusion = arg.conclusion })
local t = target(p.target)
if not arg.success or arg.updatedAt < tonumber(t.liveAt or 0) then return cjson.encode({ kind = 'noted' }) end
local fields = {
  live = p.version, livePromotion = p.id, liveRun = arg.runId, liveSince = now, liveAt = arg.updatedAt,
}
local other = t.live ~= p.version
if other then
  fields.previous, fields.previousPromotion = t.live or '', t.livePromotion or ''
  fields.drift = cjson.encode({ runId = arg.runId, attempt = arg.runAttempt, instead = t.live or '' })
  redis.call('HINCRBY', key('counters'), 'drifts', 1)
end
set(key('target', p.target), fields)
-- A person has put it live: it is not held back any more, nor replaced by what was to replace it.
local hold = hold_of(p.target)
if blocks(hold, p.version) then unblock(p.target, hold) end
local waiting = t.pending and t.pending ~= '' and promotion(t.pending)
if waiting and waiting.parent == p.id and not maybe_sent(waiting) then
  supersede(waiting, p.id)
  set(key('target', p.target), { pending = '', newest = p.id })
end
return cjson.encode({ kind = 'noted', live = other and (t.live or '') or nil })

-- track: what is known of the run that a dispatch started. Changes nothing once the promotion has ended.
-- arg: id, runId, runUrl, status, runAttempt
-- answers {state, changed}
local p = promotion(arg.id)
if not p then return cjson.encode({ state = 'unknown', changed = false }) end
if p.state ~= 'dispatched' or ((p.runId or '') ~= '' and p.runId ~= arg.runId) then
  return cjson.encode({ state = p.state, changed = false })
end
local found = (p.runId or '') == ''
if found and not own_run(p, arg.runId) then return cjson.encode({ state = p.state, changed = false }) end
if not found and p.runStatus == arg.status then return cjson.encode({ state = p.state, changed = false }) end
redis.call('ZREM', key('searching', p.scope), p.id)
local fields = { runId = arg.runId, runUrl = arg.runUrl, runStatus = arg.status, runAttempt = arg.runAttempt }
if arg.status == 'in_progress' and (p.startedAt or '') == '' then fields.startedAt = now end
-- Time spent waiting for an approval does not count towards the time limit.
if arg.status == 'waiting' and p.runStatus ~= 'waiting' then fields.waitingSince = now end
if arg.status ~= 'waiting' and p.runStatus == 'waiting' then
  fields.waitedMs = tonumber(p.waitedMs or 0) + now - tonumber(p.waitingSince)
end
update(p, fields)
note(p, 'run', { status = arg.status, runId = arg.runId, runUrl = found and arg.runUrl or nil })
return cjson.encode({ state = p.state, changed = true })

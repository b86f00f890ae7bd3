-- track: what is known of the run that a dispatch started. Changes nothing once the promotion has ended, nor where
-- something newer is known: by attempt, then by GitHub's time, then (webhooks, whose order is not kept) by status.
-- arg: id, runId, runUrl, status, runAttempt, updatedAt, told (by a webhook)
-- answers {state, changed}
local p = promotion(arg.id)
if not p then return cjson.encode({ state = 'unknown', changed = false }) end
if p.state ~= 'dispatched' or ((p.runId or '') ~= '' and p.runId ~= arg.runId) then
  return cjson.encode({ state = p.state, changed = false })
end
local found = (p.runId or '') == ''
if found and not own_run(p, arg.runId) then return cjson.encode({ state = p.state, changed = false }) end
local STEP = { requested = 1, queued = 1, pending = 1, in_progress = 3, completed = 4 }
local function is_older()
  local attempt, known = tonumber(arg.runAttempt), tonumber(p.runAttempt or 0)
  if attempt ~= known then return attempt < known end
  local at, known_at = tonumber(arg.updatedAt or 0), tonumber(p.runUpdatedAt or 0)
  if at > 0 and at ~= known_at then return at < known_at end
  return arg.told and (STEP[arg.status] or 2) < (STEP[p.runStatus] or 2)
end
if not found and is_older() then return cjson.encode({ state = p.state, changed = false }) end
local same = p.runStatus == arg.status and tonumber(p.runAttempt or 0) == tonumber(arg.runAttempt)
if not found and same then return cjson.encode({ state = p.state, changed = false }) end
redis.call('ZREM', key('searching', p.scope), p.id)
local fields = { runId = arg.runId, runUrl = arg.runUrl, runStatus = arg.status, runAttempt = arg.runAttempt, runUpdatedAt = arg.updatedAt or 0 }
if arg.status == 'in_progress' and (p.startedAt or '') == '' then fields.startedAt = now end
-- Time spent waiting for an approval does not count towards the time limit.
if arg.status == 'waiting' and p.runStatus ~= 'waiting' then fields.waitingSince = now end
if arg.status ~= 'waiting' and p.runStatus == 'waiting' then
  fields.waitedMs = tonumber(p.waitedMs or 0) + now - tonumber(p.waitingSince)
end
update(p, fields)
note(p, 'run', { status = arg.status, runId = arg.runId, runUrl = found and arg.runUrl or nil })
return cjson.encode({ state = p.state, changed = true })

-- track: what is known of the run that a dispatch started. Changes nothing once the promotion has ended, nor where
-- something newer is known: by attempt, then by GitHub's time, then (webhooks, whose order is not kept) by status.
-- arg: id, runId, runUrl, status, runAttempt, updatedAt, told (by a webhook). Without an id it is known by its run, and
--      the run goes on.
-- answers {state, changed}; without an id also {isClear (that was all there is to it), scope}
local id = arg.id or redis.call('GET', key('run', arg.runId))
local p = id and promotion(id)
if not p then return cjson.encode({ state = 'unknown', changed = false }) end
if not arg.id then
  local is_its = p.runId == arg.runId
  local is_followed = is_its and p.state == 'dispatched' and arg.runAttempt <= math.max(1, tonumber(p.runAttempt or 1))
  if not is_followed then
    return cjson.encode({ state = p.state, changed = false, isClear = is_its and TERMINAL[p.state] == true, scope = p.scope })
  end
  arg.runUrl = p.runUrl
end
local function answer(changed)
  return cjson.encode({ state = p.state, changed = changed, isClear = not arg.id or nil, scope = not arg.id and p.scope or nil })
end
if p.state ~= 'dispatched' or ((p.runId or '') ~= '' and p.runId ~= arg.runId) then
  return answer(false)
end
local found = (p.runId or '') == ''
if found and not own_run(p, arg.runId) then return answer(false) end
local STEP = { requested = 1, queued = 1, pending = 1, in_progress = 3, completed = 4 }
local function is_older()
  local attempt, known = tonumber(arg.runAttempt), tonumber(p.runAttempt or 0)
  if attempt ~= known then return attempt < known end
  local at, known_at = tonumber(arg.updatedAt or 0), tonumber(p.runUpdatedAt or 0)
  if at > 0 and at ~= known_at then return at < known_at end
  return arg.told and (STEP[arg.status] or 2) < (STEP[p.runStatus] or 2)
end
if not found and is_older() then return answer(false) end
local same = p.runStatus == arg.status and tonumber(p.runAttempt or 0) == tonumber(arg.runAttempt)
if not found and same then return answer(false) end
redis.call('ZREM', key('searching', p.scope), p.id)
local fields = { runId = arg.runId, runUrl = arg.runUrl, runStatus = arg.status, runAttempt = arg.runAttempt, runUpdatedAt = arg.updatedAt or 0 }
if arg.status == 'in_progress' and (p.startedAt or '') == '' then fields.startedAt = now end
-- Time spent waiting for an approval does not count towards the time limit.
if arg.status == 'waiting' and p.runStatus ~= 'waiting' then fields.waitingSince = now end
if arg.status ~= 'waiting' and p.runStatus == 'waiting' then
  fields.waitedMs = tonumber(p.waitedMs or 0) + now - tonumber(p.waitingSince)
end
update(p, fields)
note(p, 'run', { status = arg.status, runUrl = found and arg.runUrl or nil })
return answer(true)

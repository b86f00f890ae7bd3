-- settle: a person says what became of an unresolved promotion: its run, or that there is none. Also of one that
-- GitHub took without naming its run, when several could be it.
-- arg: id, runId (text) or absent (true), runUrl, by, why
-- answers {kind = track, job, waitedMs} | {kind = accepted, job} | {kind = superseded, wake} | {kind = refused, state, why}
local p = promotion(arg.id)
local function refused(why)
  return cjson.encode({ kind = 'refused', state = p and p.state or 'unknown', why = why })
end

local searched = p and p.state == 'dispatched' and (p.runId or '') == '' and arg.runId
if not p or (p.state ~= 'unresolved' and not searched) then return refused('state') end
if arg.runId and not own_run(p, arg.runId) then return refused('run of another promotion') end
note(p, 'resolved', { by = arg.by, why = arg.why, runId = arg.runId })
if searched then
  redis.call('ZREM', key('searching', p.scope), p.id)
  update(p, { runId = arg.runId, runUrl = arg.runUrl or '' })
  return cjson.encode({ kind = 'track', job = redis.call('HINCRBY', key('promotion', p.id), 'trackJob', 1) })
end
if arg.runId then
  return cjson.encode(to_tracking(p, arg.runId, arg.runUrl))
end
local gave_way = give_way(p)
if gave_way then return cjson.encode(gave_way) end
put_back(p, { spent = 0, claims = 0, notBefore = 0, slotAt = 0, reason = '', token = '', epoch = epoch() })
return cjson.encode({ kind = 'accepted', job = next_job(p.id) })

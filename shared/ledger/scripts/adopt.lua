-- adopt: GitHub shows a run of this promotion: its id is in the title. It is taken up where its attempt's answer was
-- lost, and where it counted as absent by now. While the attempt's own answer may still come, that one goes first.
-- arg: id, runId, runUrl
-- answers {kind = track, job, waitedMs} | {kind = early} | {kind = stale, state}
local p = promotion(arg.id)
if not p then return cjson.encode({ kind = 'stale', state = 'unknown' }) end
if p.state == 'dispatching' and (p.doubt or '') == '' then return cjson.encode({ kind = 'early' }) end
local sent = p.state == 'dispatching' or (p.state == 'accepted' and (tonumber(p.attempts) > 0 or maybe_sent(p)))
if not sent or not own_run(p, arg.runId) then return cjson.encode({ kind = 'stale', state = p.state }) end
note(p, 'found', { runId = arg.runId })
return cjson.encode(to_tracking(p, arg.runId, arg.runUrl))

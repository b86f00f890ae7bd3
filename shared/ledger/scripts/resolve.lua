-- resolve: what a look at the workflow's runs says of a promotion in doubt.
-- arg: id, attempt, look = {kind = found, runId, runUrl} | {kind = not_listed} (the listing was complete) |
--      {kind = unexplained, detail} (a run that could be its own, and nobody can tell),
--      looks (that were counted when the listing began: each listing counts once),
--      certainAfterMs (after the intent, or after the doubt arose by a restart: a run would be listed by then),
--      looksNeeded, delayMs, maxAttempts
-- answers {kind = track, job, waitedMs} | {kind = patience} | {kind = again, job} | {kind = superseded, by, wake} |
--         {kind = dead_letter, deadLetter, wake} | {kind = unresolved, deadLetter} | {kind = stale, state}
local p = promotion(arg.id)
if not p or (p.doubt or '') == '' or tonumber(p.attempts) ~= arg.attempt then
  return cjson.encode({ kind = 'stale', state = p and p.state or 'unknown' })
end

if arg.look.kind == 'found' and own_run(p, arg.look.runId) then
  note(p, 'found', { runId = arg.look.runId })
  return cjson.encode(to_tracking(p, arg.look.runId, arg.look.runUrl))
end

-- Redis was restarted since the doubt arose: what it has forgotten may be later than what it remembers.
doubt(p, p.doubt)
local since = p.doubt == 'epoch' and p.doubtSince or p.intentAt
if now < since + arg.certainAfterMs then return cjson.encode({ kind = 'patience' }) end

-- Not sooner: until then its own run may still come, and others that are in the air may explain theirs.
if arg.look.kind ~= 'not_listed' then
  local detail = arg.look.detail or ('run ' .. arg.look.runId .. ' shows its id, and is the run of another promotion')
  -- Which doubt it was: a Retry looks again with the same window.
  update(p, { unresolvedOf = p.doubt })
  take_place(p)
  return cjson.encode({ kind = 'unresolved', deadLetter = bury(p, 'unresolved', 'unknown', detail) })
end
if tonumber(p.looks or 0) ~= arg.looks then return cjson.encode({ kind = 'patience' }) end
update(p, { looks = (p.looks or 0) + 1 })
if p.looks - p.looksBefore < arg.looksNeeded then return cjson.encode({ kind = 'patience' }) end

-- Absent: nothing was started.
local why = p.doubt
note(p, 'absent', { attempt = arg.attempt, why = why })
end_doubt(p)
if why == 'epoch' then
  update(p, { epoch = epoch() })
end
local gave_way = give_way(p)
if gave_way then return cjson.encode(gave_way) end
if why == 'epoch' then
  put_back(p, {})
  return cjson.encode({ kind = 'again', job = next_job(p.id) })
end
local spent = p.spent + 1
if spent >= arg.maxAttempts then
  local n = bury(p, 'dead_lettered', 'unknown', spent .. ' attempts started no run')
  return cjson.encode({ kind = 'dead_letter', deadLetter = n, wake = to_wake(p.target) })
end
put_back(p, { notBefore = now + arg.delayMs, reason = 'no run was started', spent = spent })
return cjson.encode({ kind = 'again', job = next_job(p.id) })

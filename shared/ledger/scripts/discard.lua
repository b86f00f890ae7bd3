-- discard: a person decides that a dead letter is not to be sent any more. One of which a run may exist is looked for
-- first: then it is followed, else it ends.
-- arg: id, deadLetter (its number), by, why, dryRun (true: says what it would do, and does nothing)
-- answers {kind = discarded} | {kind = looked_for, job} (Redis was restarted since) | {kind = unresolved} (say first what
--         became of it) | {kind = settled, state}
local p = promotion(arg.id)
if not p then return cjson.encode({ kind = 'settled', state = 'unknown' }) end
if tonumber(p.deadLetters) ~= arg.deadLetter then return cjson.encode({ kind = 'settled', state = p.state }) end
if p.state == 'unresolved' then return cjson.encode({ kind = 'unresolved' }) end
local discarded = (p.discarded or '') ~= ''
if p.state ~= 'dead_lettered' then
  -- Told twice: the first may have died before it added the job.
  if discarded and p.state == 'accepted' then return cjson.encode({ kind = 'looked_for', job = next_job(p.id) }) end
  return cjson.encode(discarded and p.state == 'skipped' and { kind = 'discarded' } or { kind = 'settled', state = p.state })
end
local unsure = maybe_sent(p)
if arg.dryRun then return cjson.encode({ kind = unsure and 'looked_for' or 'discarded' }) end
update(p, { discarded = 'discarded by ' .. arg.by .. (arg.why and ': ' .. arg.why or '') })
if unsure then
  move(p, 'accepted', { reason = '' })
  keep_unsure(p)
  return cjson.encode({ kind = 'looked_for', job = next_job(p.id) })
end
discard(p)
return cjson.encode({ kind = 'discarded' })

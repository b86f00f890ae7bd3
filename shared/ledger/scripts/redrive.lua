-- redrive: a person puts a dead letter back. It can neither double nor overtake: only the dead letter that was
-- meant moves, and only if nothing newer was accepted for its target since.
-- arg: id, deadLetter (its number), by
-- answers {kind = accepted, job} | {kind = superseded, by} | {kind = resolving} (its run is looked for again; nothing is sent) | {kind = settled, state}
local p = promotion(arg.id)
if not p then return cjson.encode({ kind = 'settled', state = 'unknown' }) end
if tonumber(p.deadLetters) ~= arg.deadLetter then return cjson.encode({ kind = 'settled', state = p.state }) end
if p.state == 'unresolved' then
  note(p, 'redriven', { by = arg.by })
  move(p, 'dispatching', { reason = '' })
  doubt(p, p.unresolvedOf or 'unknown')
  return cjson.encode({ kind = 'resolving' })
end
if p.state ~= 'dead_lettered' then
  -- Told twice: the first may have died before it added the job.
  if p.state == 'accepted' then return cjson.encode({ kind = 'accepted', job = next_job(p.id) }) end
  return cjson.encode({ kind = 'settled', state = p.state })
end
note(p, 'redriven', { by = arg.by })
local newest = redis.call('HGET', key('target', p.target), 'newest')
if newest ~= p.id and maybe_sent(p) then
  -- It may have been redriven and sent before Redis was restarted: looked into before it gives way.
  move(p, 'accepted', { reason = '' })
  keep_unsure(p)
  return cjson.encode({ kind = 'accepted', job = next_job(p.id) })
end
if newest ~= p.id then
  supersede(p, newest)
  return cjson.encode({ kind = 'superseded', by = newest, version = redis.call('HGET', key('promotion', newest), 'version') })
end
put_back(p, { spent = 0, claims = 0, notBefore = 0, slotAt = 0, reason = '' })
return cjson.encode({ kind = 'accepted', job = next_job(p.id) })

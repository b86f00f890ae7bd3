-- redrive: a person puts a dead letter back. It can neither double nor overtake: only the dead letter that was
-- meant moves, and only if nothing newer was accepted for its target since.
-- arg: id, deadLetter (its number), by, why, dryRun (true: says what it would do, and does nothing)
-- answers {kind = accepted, job} | {kind = superseded, by, version} | {kind = resolving} (its run is looked for again;
--         nothing is sent) | {kind = settled, state}; a dry run's has no job, and `unsure` where its run is looked for first
local p = promotion(arg.id)
if not p then return cjson.encode({ kind = 'settled', state = 'unknown' }) end
if tonumber(p.deadLetters) ~= arg.deadLetter then return cjson.encode({ kind = 'settled', state = p.state }) end

local newest = redis.call('HGET', key('target', p.target), 'newest')
local unsure = maybe_sent(p) or nil
local gives_way = newest ~= p.id and not unsure
local function superseded()
  return cjson.encode({ kind = 'superseded', by = newest, version = redis.call('HGET', key('promotion', newest), 'version') })
end

if arg.dryRun then
  if p.state == 'unresolved' then return cjson.encode({ kind = 'resolving' }) end
  if p.state ~= 'dead_lettered' then return cjson.encode({ kind = 'settled', state = p.state }) end
  if gives_way then return superseded() end
  return cjson.encode({ kind = 'accepted', unsure = unsure })
end
if p.state == 'unresolved' then
  note(p, 'redriven', { by = arg.by, why = arg.why })
  move(p, 'dispatching', { reason = '' })
  doubt(p, p.unresolvedOf or 'unknown')
  return cjson.encode({ kind = 'resolving' })
end
if p.state ~= 'dead_lettered' then
  -- Told twice: the first may have died before it added the job.
  if p.state == 'accepted' then return cjson.encode({ kind = 'accepted', job = next_job(p.id) }) end
  return cjson.encode({ kind = 'settled', state = p.state })
end
note(p, 'redriven', { by = arg.by, why = arg.why })
if gives_way then
  supersede(p, newest)
  return superseded()
end
if newest ~= p.id then
  -- It may have been redriven and sent before Redis was restarted: looked into before it gives way.
  move(p, 'accepted', { reason = '' })
  keep_unsure(p)
else
  put_back(p, { spent = 0, claims = 0, notBefore = 0, slotAt = 0, reason = '' })
end
return cjson.encode({ kind = 'accepted', job = next_job(p.id) })

-- rehearse: records a smoke test that goes as far as the claim and is never sent. It has no target, is in no list and no
-- figure, and is forgotten by itself: whoever is killed midway leaves nothing.
-- arg: promotion {id, target, model, version, environment, source}, keepMs, by, touch (see prelude)
-- answers {id, job}
local given = arg.promotion
local p = promotion(given.id)
if not p then
  p = {
    id = given.id, test = 'claim', state = 'accepted', target = given.target, model = given.model,
    version = given.version, environment = given.environment, source = given.source, acceptedAt = int(now),
    since = int(now), updatedAt = int(now), seq = '0', job = '1', attempts = '0', spent = '0', claims = '0',
    deadLetters = '0', wait = '', reason = '', liveBefore = '', epoch = epoch(),
  }
  set(key('promotion', p.id), p)
  note(p, 'accepted', { by = arg.by })
  for _, kind in ipairs({ 'promotion', 'timeline' }) do redis.call('PEXPIRE', key(kind, p.id), arg.keepMs) end
end
touch(p)
return cjson.encode({ id = p.id, job = tonumber(p.job) })

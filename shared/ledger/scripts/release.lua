-- release: a person ends the hold on a target, and with it the block of versions that were rolled back from.
-- arg: target, token (one a call), by, why
-- answers {kind = released, wake} | {kind = not_held} | {kind = unknown}
local t, hold = target(arg.target), hold_of(arg.target)
if not t.newest then return cjson.encode({ kind = 'unknown' }) end
if not hold and t.releasedBy ~= arg.token then return cjson.encode({ kind = 'not_held' }) end
if hold then
  set_hold(arg.target, nil)
  set(key('target', arg.target), { releasedBy = arg.token })
  -- Offered again it is news.
  for _, version in ipairs(hold.versions or {}) do redis.call('DEL', seen_name(arg.target, version)) end
  note({ id = t.newest }, 'released', { by = arg.by, why = arg.why })
end
return cjson.encode({ kind = 'released', wake = to_wake(arg.target) })

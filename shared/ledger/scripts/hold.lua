-- hold: a person stops a target: what is in flight goes on, everything else waits until it is released.
-- arg: target, by, why
-- answers {kind = held} | {kind = unknown} (nothing was ever promoted to it: a slip of the pen)
local t = target(arg.target)
if not t.newest then return cjson.encode({ kind = 'unknown' }) end
local hold = hold_of(arg.target) or {}
if hold.kind == 'person' and hold.by == arg.by and hold.why == arg.why then return cjson.encode({ kind = 'held' }) end
hold.kind, hold.by, hold.why, hold.since, hold.passes = 'person', arg.by, arg.why, now, nil
set_hold(arg.target, hold)
note({ id = t.newest }, 'held', { by = arg.by, why = arg.why })
return cjson.encode({ kind = 'held' })

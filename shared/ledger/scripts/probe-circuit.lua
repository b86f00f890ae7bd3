-- probe-circuit: hands an open circuit to one prober once its pause is over.
-- arg: scope, leaseMs, now (true: a person asks, the pause does not matter)
-- answers {reason, detail, number} or {}
local c = circuit(arg.scope)
if not c or c.halfOpen == '1' or (not arg.now and now < tonumber(c['until'])) then return '{}' end
set(key('circuit', arg.scope), { ['until'] = now + arg.leaseMs, probing = 1 })
return cjson.encode({ reason = c.reason, detail = c.detail, number = tonumber(c.number) })

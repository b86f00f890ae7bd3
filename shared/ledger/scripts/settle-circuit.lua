-- settle-circuit: what a probe has learnt.
-- arg: scope, number (of its opening), verdict = close | half_open | still_open, detail, maxMs
-- answers {kind = closed | half_open | open | stale}
local c = circuit(arg.scope)
if not c or tonumber(c.number) ~= arg.number then return cjson.encode({ kind = 'stale' }) end
if arg.verdict == 'close' then
  close_circuit(arg.scope)
  return cjson.encode({ kind = 'closed' })
end
-- Told twice, or by a prober so slow that another one was faster: it must not let a second probe go.
if c.probing ~= '1' then return cjson.encode({ kind = c.halfOpen == '1' and 'half_open' or 'open' }) end
if arg.verdict == 'half_open' then
  set(key('circuit', arg.scope), { halfOpen = 1, probeUntil = 0, probing = 0 })
  return cjson.encode({ kind = 'half_open' })
end
local failures = c.failures + 1
local first = tonumber(c.pauseMs)
if first == 0 then first = arg.firstMs end
set(key('circuit', arg.scope), {
  probing = 0, failures = failures, detail = arg.detail ~= '' and arg.detail or c.detail,
  ['until'] = now + math.min(first * 2 ^ math.min(failures - 1, 20), arg.maxMs),
})
return cjson.encode({ kind = 'open' })

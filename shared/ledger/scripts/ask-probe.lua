-- ask-probe: a person wants to know at once whether what opened a circuit is mended: its pause is over.
-- arg: scope
-- answers {kind = asked, number} | {kind = half_open} (the next promotion goes as the probe) | {kind = closed}
local c = circuit(arg.scope)
if not c then return cjson.encode({ kind = 'closed' }) end
if c.halfOpen == '1' then return cjson.encode({ kind = 'half_open' }) end
if c.probing ~= '1' then set(key('circuit', arg.scope), { ['until'] = now }) end
return cjson.encode({ kind = 'asked', number = tonumber(c.number) })

-- trim: forgets promotions that ended long ago, but never the one that is live or its target's newest.
-- arg: keepMs, most
-- answers {trimmed, kept}
local old = redis.call('ZRANGE', key('ended'), '-inf', now - arg.keepMs, 'BYSCORE', 'LIMIT', 0, arg.most)
local trimmed, kept = 0, 0
for _, id in ipairs(old) do
  local p = promotion(id)
  local t = p and target(p.target) or {}
  if p and (t.livePromotion == id or t.newest == id) then
    -- Looked at again after as long.
    redis.call('ZADD', key('ended'), now, id)
    kept = kept + 1
  else
    redis.call('DEL', key('promotion', id), key('timeline', id))
    redis.call('ZREM', key('ended'), id)
    redis.call('ZREM', key('promotions'), id)
    if p then redis.call('ZREM', key('history', p.model), id) end
    trimmed = trimmed + 1
  end
end
return cjson.encode({ trimmed = trimmed, kept = kept })

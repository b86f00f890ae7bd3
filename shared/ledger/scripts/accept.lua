-- accept: takes a valid promotion into the ledger, or names the one that it repeats.
-- arg: promotion {id, target, model, version, environment, accuracy, source, metrics (text by `m:<name>`), rollback,
--      promotedAt (when it was promoted, where it was kept by its producer meanwhile), traceparent, tracestate}, idempotencyKey,
--      isKeptId (the caller gives the same id to the same news), seenMs (window of the deduplication by version),
--      keyMs (how long an idempotency key is kept), by (who brought it), touch (see prelude)
-- answers {status = accepted | duplicate | key_reused, id, state, job, live}
local given = arg.promotion
local t = target(given.target)
local hold = hold_of(given.target)
-- Rolled back from: until something newer comes, or a person releases it, it is not taken in again.
local blocked = blocks(hold, given.version)

local function answer(status, p)
  touch(p)
  return cjson.encode({ status = status, id = p.id, state = p.state, version = p.version, job = tonumber(p.job), live = p.liveBefore or '' })
end

-- Sent again: the same promotion is there already.
local known = promotion(given.id)
if known then
  local same = known.target == given.target and known.version == given.version
  return answer(same and 'accepted' or 'key_reused', known)
end

-- An end after which the same version may be offered anew.
local OPEN_AGAIN = { failed = true, cancelled = true, timed_out = true, dead_lettered = true, skipped = true }

local function standing(id)
  if not id or id == '' then return nil end
  local p = promotion(id)
  local is_live = id == t.livePromotion -- also where a person's re-run has made it so after it had failed
  local is_open = p and OPEN_AGAIN[p.state] and not is_live and not (blocked and p.state == 'skipped')
  if p and p.version == given.version and not is_open then return p end
  return nil
end

local key_name = arg.idempotencyKey and key('key', arg.idempotencyKey)
if key_name then
  local first = redis.call('GET', key_name)
  local p = first and promotion(first)
  if p then
    if p.target == given.target and p.version == given.version then return answer('duplicate', p) end
    return answer('key_reused', p)
  end
  -- The same news by another way, such as the registry's webhook, is on its way: a key that is new makes it no second one.
  local same = standing(t.newest)
  if same and not TERMINAL[same.state] then
    redis.call('SET', key_name, same.id, 'PX', arg.keyMs)
    return answer('duplicate', same)
  end
else
  local same = standing(t.newest)
  if not same and not given.rollback then
    same = standing(t.livePromotion) or standing(redis.call('GET', seen_name(given.target, given.version)))
  end
  if same then return answer('duplicate', same) end
end

-- Kept by its producer while something newer came in: that one is not to be replaced by it.
local newest = given.promotedAt and t.newest and promotion(t.newest)
local by_newer = newest and tonumber(newest.promotedAt or newest.acceptedAt) > given.promotedAt and newest.id or nil
if not blocked and not by_newer then unblock(given.target, hold) end
return answer('accepted', take_in(given, {
  idempotencyKey = arg.idempotencyKey, isKeptId = arg.isKeptId, by = arg.by, seenMs = arg.seenMs, keyMs = arg.keyMs,
  by_newer = by_newer, skip = blocked and 'it was rolled back from: a newer version goes, or this one once the target is released' or nil,
}))

-- rollback: a person has an earlier version deployed again. Without saying which: the one that is live where a later
-- one was started and is not, else the one that was live before.
-- arg: id, target, to, by, why, source, seenMs, touch (see prelude)
-- answers {status = accepted | duplicate, id, state, version, job, live} | {status = refused, why = unknown |
--         nothing_before | blocked, version}
local t = target(arg.target)
local function refused(why, version)
  return cjson.encode({ status = 'refused', why = why, version = version })
end
local function answer(status, p)
  touch(p)
  return cjson.encode({ status = status, id = p.id, state = p.state, version = p.version, job = tonumber(p.job), live = p.liveBefore or '' })
end

local known = promotion(arg.id)
if known then return answer('accepted', known) end
local newest = t.newest and promotion(t.newest)
if not newest then return refused('unknown') end

-- Asked for twice, it is rolled back once.
local is_under_way = newest.rollback == '1' and not TERMINAL[newest.state] and newest.state ~= 'dead_lettered'
if is_under_way and (not arg.to or arg.to == newest.version) then return answer('duplicate', newest) end

local STARTED = { dispatching = true, dispatched = true, unresolved = true, failed = true, cancelled = true, timed_out = true }
local live, previous = t.live or '', t.previous or ''
local has_left = STARTED[newest.state] and newest.version ~= live
local to = arg.to or (has_left and live or previous)
if to == '' then return refused('nothing_before') end
if not arg.to and blocks(hold_of(arg.target), to) then return refused('blocked', to) end
return answer('accepted', roll_back({
  id = arg.id, target = arg.target, to = to, from = has_left and newest.version ~= to and newest.version or live,
  source = arg.source, by = arg.by, why = arg.why, seenMs = arg.seenMs,
}))

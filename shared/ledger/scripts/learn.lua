-- learn: whether a run that is known to be a promotion's shows the promotion's id in its title. Only the newest such
-- run tells how the workflow is now: an older one must not prove again what a newer one has disproved.
-- arg: scope (owner/name/workflow), runId, shows, keepMs
-- answers {}
local evidence = key('evidence', arg.scope)
local given = tonumber(arg.runId)
if given < tonumber(redis.call('GET', evidence) or 0) then return '{}' end
redis.call('SET', evidence, arg.runId, 'PX', arg.keepMs)
if arg.shows then
  redis.call('SET', key('proven', arg.scope), '1', 'PX', arg.keepMs)
else
  redis.call('DEL', key('proven', arg.scope))
end
return '{}'

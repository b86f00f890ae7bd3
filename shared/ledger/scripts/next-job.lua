-- next-job: a number for a successor of a promotion's job, or none if the promotion needs that job no more.
-- arg: id, states (those in which the job is wanted), field (job | trackJob)
-- answers {job} or {}
local state = redis.call('HGET', key('promotion', arg.id), 'state')
for _, wanted in ipairs(arg.states) do
  if state == wanted then
    return cjson.encode({ job = redis.call('HINCRBY', key('promotion', arg.id), arg.field, 1) })
  end
end
return '{}'

/**
 * How a queue shows on the Bull dashboard: jobs by model and version with what they wait for, and a dead letter by
 * its reason and what to do, in place of the stack of the code that parked it. Changes nothing in the queue.
 */
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { QueueJobJson, Status } from '@bull-board/api/typings/app'
import type { Job, Queue } from 'bullmq'
import { DEAD_LETTERS, FEEDBACK, PROMOTIONS, TRACKING } from '../../shared/queues.ts'

const DESCRIPTIONS: Record<string, string> = {
  [PROMOTIONS]: 'Promotions on their way to GitHub. Under Delayed: those that wait, and for what',
  [TRACKING]: 'Workflow runs that are followed to their end',
  [DEAD_LETTERS]: 'Under Failed: promotions that need a person. Mend the cause, then press Retry',
  [FEEDBACK]:
    'What is told to MLflow, a webhook and a chat. Under Failed: what could not be told; Retry sends it',
}

/** Nothing of ours is ever in these. */
const UNUSED: readonly Status[] = ['waiting-children', 'prioritized']

export function boardAdapter(queue: Queue): BullMQAdapter {
  const adapter = new BullMQAdapter(queue, { description: DESCRIPTIONS[queue.name] ?? '' })
  adapter.setFormatter('name', nameOf)
  const { getStatuses, getJobs, getJob } = adapter
  adapter.getStatuses = () => getStatuses.call(adapter).filter((status) => !UNUSED.includes(status))
  if ([DEAD_LETTERS, FEEDBACK].includes(queue.name)) {
    adapter.getJobs = async (...asked) => (await getJobs.apply(adapter, asked)).map(withReason)
    adapter.getJob = async (id) => {
      const job = await getJob.call(adapter, id)
      return job && withReason(job)
    }
  }
  return adapter
}

/** `fraud-detector 5 in staging (waits: in_flight 4)`, `fraud-detector 5: chat failed` */
function nameOf({ name, data, progress }: QueueJobJson): string {
  const { model, version, environment, sink } = (data ?? {}) as Record<string, unknown>
  if (typeof model !== 'string') return name
  const where = environment === 'production' ? '' : ` in ${environment}`
  if (typeof sink === 'string') return `${model} ${version}${where}: ${name}`
  const { waits, seen } = (typeof progress === 'object' ? progress : {}) as Record<string, unknown>
  const doing = typeof waits === 'string' ? waits : seen
  return `${model} ${version}${where}${typeof doing === 'string' ? ` (${doing})` : ''}`
}

function withReason(job: Job): Job {
  if (!job?.failedReason) return job
  const { next } = (job.data ?? {}) as Record<string, unknown>
  job.stacktrace = [typeof next === 'string' ? `${job.failedReason}\n\n${next}` : job.failedReason]
  return job
}

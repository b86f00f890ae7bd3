/**
 * How a queue shows on the Bull dashboard: jobs by model and version with what they wait for, and a dead letter by
 * its reason and what to do, in place of the stack of the code that parked it. Of a job it shows what the allow list
 * of its queue holds. Changes nothing in the queue.
 */
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter'
import type { Status } from '@bull-board/api/typings/app'
import type { Job, Queue } from 'bullmq'
import { DEAD_LETTERS, FEEDBACK, PROMOTIONS, TRACKING } from '../../shared/queues.ts'
import { shownJob, shownLogs } from './shown-job.ts'

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
  const { getStatuses, getJobs, getJob, getJobLogs, getWorkers } = adapter
  const shown = (job: Job) => showing(queue.name, job)
  adapter.getStatuses = () => getStatuses.call(adapter).filter((status) => !UNUSED.includes(status))
  adapter.getJobs = async (...asked) => (await getJobs.apply(adapter, asked)).map(shown)
  adapter.getJob = async (id) => {
    const job = isReadable(id) ? await getJob.call(adapter, id).catch(unlessAnotherKey) : undefined
    // Other keys of a queue stand beside its jobs: an id such as `meta` names no job.
    return job?.name === undefined ? undefined : shown(job)
  }
  adapter.getJobLogs = async (id) =>
    isReadable(id) ? shownLogs(queue.name, await getJobLogs.call(adapter, id).catch(() => [])) : []
  adapter.getWorkers = async () =>
    (await getWorkers.call(adapter))?.map((worker) => ({ ...worker, name: null })) ?? null
  // We have neither flows nor schedulers: what is there is another client's, with data that no list knows.
  adapter.getFlowProducer = async () => null
  adapter.getJobSchedulers = async () => []
  adapter.getJobSchedulersCount = async () => 0
  return adapter
}

/** The dashboard reads a job by this alone; what it does with the job it does with the job itself. */
function showing(queue: string, job: Job): Job {
  const { toJSON } = job
  job.toJSON = () => {
    const json = shownJob(queue, toJSON.call(job))
    return { ...json, name: `${json.name}${doing(json.progress)}` }
  }
  return job
}

/** ` (waits: in_flight 4)` */
function doing(progress: unknown): string {
  const { waits, seen } = (progress ?? {}) as Record<string, unknown>
  const what = typeof waits === 'string' ? waits : seen
  return typeof what === 'string' ? ` (${what})` : ''
}

const LONGEST_ID = 200

function isReadable(id: string): boolean {
  return id.length <= LONGEST_ID && !/[\p{Cc}\s]/u.test(id)
}

/** A key that is no hash can't be a job. */
function unlessAnotherKey(error: Error): undefined {
  if (!error.message.startsWith('WRONGTYPE')) throw error
}

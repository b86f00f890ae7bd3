// What the promises are measured against: a plain BullMQ worker as many would write it. A job a promotion, eight
// attempts with exponential backoff, the same POST by octokit, no ledger. A 2xx completes the job, all else fails it.
import { Octokit } from '@octokit/rest'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { asConnection, bullPrefix } from '../../shared/queues.ts'
import { WORKFLOW } from './world.ts'

export interface BaselineArgument {
  redisUrl: string
  githubUrl: string
  answerWithinMs: number
  lockMs: number
  stalledCheckMs: number
}

export const BASELINE_QUEUE = 'baseline'

if (import.meta.main) {
  const argument = JSON.parse(process.argv[2] ?? '') as BaselineArgument
  process.once('disconnect', () => process.exit(0))
  const quiet = () => {}
  const log = { debug: quiet, info: quiet, warn: quiet, error: quiet }
  const octokit = new Octokit({
    baseUrl: argument.githubUrl,
    auth: 'chaos-token-chaos-token',
    log,
    request: { log },
  })
  const connection = new Redis(argument.redisUrl, { maxRetriesPerRequest: null, replyMapping: 'legacy' })
  connection.on('error', quiet)
  const worker = new Worker(
    BASELINE_QUEUE,
    async (job) => {
      await octokit.request('POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches', {
        owner: 'acme',
        repo: 'models',
        workflow_id: WORKFLOW,
        ref: 'main',
        inputs: job.data,
        request: { signal: AbortSignal.timeout(argument.answerWithinMs) },
      })
    },
    {
      connection: asConnection(connection),
      prefix: bullPrefix(),
      concurrency: 16,
      lockDuration: argument.lockMs,
      stalledInterval: argument.stalledCheckMs,
      skipVersionCheck: true,
    },
  )
  worker.on('error', quiet)
  process.once('SIGTERM', async () => {
    await worker.close()
    process.exit(0)
  })
  process.send?.('ready')
}

// The plain thing, a process of its own: a BullMQ worker as many would write it, which makes the same call by the same
// octokit and keeps nothing. `--fresh`: on a connection of its own for each call, as the relay does.
import { Octokit } from '@octokit/rest'
import { Worker } from 'bullmq'
import { Redis } from 'ioredis'
import { createDeadline } from '../../worker/github/deadline.ts'
import { sendOnce } from '../../worker/github/send-once.ts'
import { PLAIN_QUEUE } from './plain.ts'

const { redisUrl, githubUrl, concurrency, fresh } = JSON.parse(process.argv[2] ?? '') as {
  redisUrl: string
  githubUrl: string
  concurrency: number
  fresh: boolean
}
const octokit = new Octokit({ baseUrl: githubUrl, auth: 'token-of-a-bench' })
const once = () =>
  fresh ? { fetch: sendOnce({ sendBefore: createDeadline(5_000), answerWithinMs: 30_000 }).fetch } : {}

const worker = new Worker(
  PLAIN_QUEUE,
  async (job) => {
    await octokit.request('POST /repos/{owner}/{repo}/actions/workflows/{workflow_id}/dispatches', {
      owner: 'acme',
      repo: 'models',
      workflow_id: 'cd_pipeline.yml',
      ref: 'main',
      inputs: job.data,
      return_run_details: true,
      request: once(),
    })
  },
  {
    connection: new Redis(redisUrl, { maxRetriesPerRequest: null, replyMapping: 'legacy' }) as never,
    concurrency,
    removeOnComplete: { count: 0 },
  },
)
worker.on('error', (error) => process.stderr.write(`${error.message}\n`))
process.once('disconnect', () => process.exit(0))
await worker.waitUntilReady()
process.send?.('ready')

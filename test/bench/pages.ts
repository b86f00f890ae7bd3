// How long the pages for ops take with much in the ledger: `node test/bench/pages.ts [--promotions N] [--dead-letters N]
// [--json]`. The ledger's own scripts fill it, the real server shows it, over HTTP. Prints each page's times, ms.
import { randomUUID } from 'node:crypto'
import { parseArgs } from 'node:util'
import { Redis } from 'ioredis'
import { Registry } from 'prom-client'
import { loadSettings } from '../../shared/config.ts'
import { createLedger } from '../../shared/ledger/ledger.ts'
import { createLedgerReader } from '../../shared/ledger/read.ts'
import { silentLogger } from '../../shared/logger.ts'
import { validatePromotion } from '../../shared/promotion.ts'
import { createQueue, DEAD_LETTERS } from '../../shared/queues.ts'
import { secretFromValue } from '../../shared/secret.ts'
import { serve } from '../../standalone/serve.ts'
import { createDeadLetters } from '../../worker/dead-letters/dead-letters.ts'
import { startPrivateRedis } from '../support/private-redis.ts'

const { values } = parseArgs({
  options: {
    promotions: { type: 'string', default: '100000' },
    'dead-letters': { type: 'string', default: '10000' },
    rounds: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
})
const promotions = Number(values.promotions)
const deadLetters = Number(values['dead-letters'])
const rounds = Number(values.rounds)
const PASSWORD = 'password-of-a-benchmark'
const AT_ONCE = 200

const server = await startPrivateRedis({ appendfsync: 'no' })
const redis = new Redis(server.url)
const ledger = createLedger({ redis })
try {
  const { running, ended, dead } = await fill()
  const report = await measure({ running, ended, dead })
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : tableOf(report))
} finally {
  redis.disconnect()
  await server.stop()
}

/** So many at once, that Redis is busy and none waits long. */
async function each(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0
  const one = async () => {
    for (let n = next++; n < count; n = next++) await work(n)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, one))
}

async function accepted(model: string, version: string): Promise<string> {
  const valid = validatePromotion({ model, version, accuracy: 0.9234 })
  if (!valid.ok) throw new Error(JSON.stringify(valid.problems))
  return (await ledger.accept(randomUUID(), valid.value)).id
}

async function sent(id: string): Promise<string> {
  const claimed = await ledger.claim({
    id,
    token: id,
    worker: 'bench',
    enabled: true,
    repository: 'acme/models',
    workflow: 'cd_pipeline.yml',
    slotMs: 0,
    uncertainMs: 40_000,
    recheckMs: 60_000,
    maxClaims: 10,
  })
  if (claimed.kind !== 'go') throw new Error(`it may not go: ${JSON.stringify(claimed)}`)
  return id
}

function told(
  id: string,
  next: Parameters<typeof ledger.recordOutcome>[0]['next'],
  status: number,
  detail: string,
) {
  return ledger.recordOutcome({
    id,
    attempt: 1,
    token: id,
    outcome: next.kind === 'track' ? 'dispatched' : 'rejected',
    detail,
    status,
    next,
    scopes: ['acme/models', 'acme/models/cd_pipeline.yml'],
    fault: false,
    faultPauseMs: 15_000,
    recheckMs: 60_000,
  })
}

/** A tenth are dead letters, each of a target of its own; most others were superseded, and some hundred deployed. */
async function fill() {
  const targets = 2_000
  const others = promotions - deadLetters
  let dead = ''
  await each(deadLetters, async (n) => {
    const id = await sent(await accepted(`dead-${n}`, '1'))
    await told(
      id,
      { kind: 'dead_letter', exhausted: false },
      422,
      `GitHub answered 422: inputs are too large (${n})`,
    )
    dead = id
  })
  // After them, so that the targets on the board have something going on.
  await each(
    others,
    async (n) => void (await accepted(`model-${n % targets}`, String(Math.floor(n / targets)))),
  )
  const reader = createLedgerReader({ redis })
  const queue = createQueue(DEAD_LETTERS, redis)
  const letters = createDeadLetters({ queue, reader })
  const ids = await reader.idsIn('dead_lettered')
  await each(ids.length, async (n) => letters.bury(ids[n] ?? '', 1))
  await park(queue.toKey('wait'), queue.toKey('failed'))
  await queue.close()

  const pending = (await reader.targets(500)).flatMap(({ pending: id }) => id ?? [])
  let ended = ''
  let running = ''
  for (const [n, id] of pending.entries()) {
    await sent(id)
    await told(id, { kind: 'track', runId: String(n + 1), runUrl: 'https://ci' }, 200, 'GitHub answered 200')
    if (n % 5 === 4) running = id
    else {
      ended = id
      await ledger.finish({
        id,
        runId: String(n + 1),
        runUrl: 'https://ci',
        runAttempt: 1,
        state: 'deployed',
        conclusion: 'success',
      })
    }
  }
  return { running, ended, dead }
}

/** Where a worker's first look puts them: under Failed. */
async function park(wait: string, failed: string): Promise<void> {
  const ids = await redis.lrange(wait, 0, -1)
  for (let at = 0; at < ids.length; at += 1_000) {
    const some = ids.slice(at, at + 1_000)
    await redis.zadd(failed, ...some.flatMap((id, n) => [String(Date.now() + at + n), id]))
  }
  await redis.del(wait)
}

interface Times {
  page: string
  median: number
  p95: number
  most: number
  bytes: number
}

async function measure(ids: { running: string; ended: string; dead: string }): Promise<Times[]> {
  const loaded = loadSettings(
    { REDIS_URL: server.url, PORT: '0', RELAY_API_TOKEN: PASSWORD, OPS_PASSWORD: PASSWORD },
    ['redis', 'server'],
  )
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  const relay = await serve({
    redisUrl: server.url,
    settings: loaded.settings,
    opsPassword: secretFromValue('OPS_PASSWORD', PASSWORD),
    registry: new Registry(),
    log: silentLogger,
  })
  const headers = { authorization: `Basic ${btoa(`ops:${PASSWORD}`)}`, accept: 'text/html' }
  const pages = [
    '/',
    '/promotions',
    '/promotions?state=deployed',
    '/dead-letters',
    '/dead-letters?reason=large',
    '/dead-letters?model=dead-7',
    `/promotions/${ids.running}`,
    `/promotions/${ids.ended}`,
    `/promotions/${ids.dead}`,
    '/models?model=model-7',
    '/search?q=model-7',
    '/search?q=nothing-of-that-name',
    '/audit',
    '/metrics',
  ]
  const report: Times[] = []
  try {
    for (const page of pages) {
      const times: number[] = []
      let bytes = 0
      // The first is not counted: it loads what is loaded once.
      for (let round = 0; round <= rounds; round++) {
        const began = performance.now()
        const response = await fetch(`${relay.url}${page}`, { headers, redirect: 'manual' })
        bytes = (await response.text()).length
        if (response.status >= 400) throw new Error(`${page}: ${response.status}`)
        if (round > 0) times.push(performance.now() - began)
      }
      times.sort((a, b) => a - b)
      const at = (share: number) => Math.round((times[Math.ceil(share * times.length) - 1] ?? 0) * 10) / 10
      report.push({
        page: page.replace(/[0-9a-f-]{36}/, '<id>'),
        median: at(0.5),
        p95: at(0.95),
        most: at(1),
        bytes,
      })
    }
  } finally {
    await relay.close()
  }
  return report
}

function tableOf(report: readonly Times[]): string {
  const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |\n`
  return [
    `${promotions} promotions, ${deadLetters} dead letters; ms over ${rounds} requests\n\n`,
    row(['page', 'median', '95 %', 'slowest', 'bytes']),
    row(['---', '---', '---', '---', '---']),
    ...report.map(({ page, median, p95, most, bytes }) => row([`\`${page}\``, median, p95, most, bytes])),
  ].join('')
}

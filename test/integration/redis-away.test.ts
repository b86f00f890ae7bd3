// Redis is away, hangs, or refuses us: a producer answers all the same, in time, and says what happened.
import { execFile } from 'node:child_process'
import { type AddressInfo, connect, createServer } from 'node:net'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { createProducer, type Producer, type PromoteResult } from '../../producer/index.ts'
import { silentLogger } from '../../shared/logger.ts'
import { connectForWorker } from '../../shared/redis/connect.ts'
import { type PrivateRedis, type PrivateRedisOptions, startPrivateRedis } from '../support/private-redis.ts'
import { until } from '../support/until.ts'

const PRODUCER = new URL('../../producer/index.ts', import.meta.url).href
const DEFAULT_DEADLINE_MS = 2_000
/** That of most tests, so that they do not wait for long. */
const SHORT_DEADLINE_MS = 300
/** For a machine that is busy. */
const SLACK_MS = 700

async function ownRedis(options?: PrivateRedisOptions): Promise<PrivateRedis> {
  const redis = await startPrivateRedis(options)
  onTestFinished(redis.stop)
  return redis
}

function producerOn(redisUrl: string, deadlineMs = SHORT_DEADLINE_MS): Producer {
  const producer = createProducer({ redisUrl, deadlineMs })
  onTestFinished(producer.close)
  return producer
}

function promote(producer: Producer, version = '5'): Promise<PromoteResult> {
  return inTime(() => producer.promote({ model: 'fraud-detector', version }))
}

/** Asserts that the answer comes in time. */
async function inTime<T>(call: () => Promise<T>, deadlineMs = SHORT_DEADLINE_MS): Promise<T> {
  const from = performance.now()
  const result = await call()
  expect(performance.now() - from).toBeLessThan(deadlineMs + SLACK_MS)
  return result
}

const unavailable = (words: RegExp) => ({
  status: 'unavailable',
  reason: expect.stringMatching(words),
})

test('Redis is away from the start: the answer comes in time and says so', async () => {
  const redis = await ownRedis()
  await redis.kill()

  expect(await promote(producerOn(redis.url))).toEqual(unavailable(/ECONNREFUSED/))
})

test('the time in which an answer comes is two seconds where nothing else is said', async () => {
  const redis = await ownRedis()
  process.kill(redis.pid, 'SIGSTOP')
  const producer = createProducer({ redisUrl: redis.url })
  onTestFinished(producer.close)

  const call = () => producer.promote({ model: 'fraud-detector', version: '5' })

  expect(await inTime(call, DEFAULT_DEADLINE_MS)).toEqual(unavailable(/within 2000 ms/))
})

test('Redis goes away later: the answer says so, and once it is back promotions are taken again', async () => {
  const redis = await ownRedis()
  const producer = producerOn(redis.url)
  expect(await promote(producer, '5')).toMatchObject({ status: 'accepted' })
  await redis.kill()
  expect(await promote(producer, '6')).toEqual(unavailable(/Redis/))

  await redis.restart()

  // Taken in too late for its answer, it is a duplicate the next time.
  await until('it is taken again', async () => (await promote(producer, '7')).status !== 'unavailable')
})

test('Redis hangs: the answer comes in time, and what was asked meanwhile may safely be asked again', async () => {
  const redis = await ownRedis()
  const producer = producerOn(redis.url)
  const first = await promote(producer, '5')
  process.kill(redis.pid, 'SIGSTOP')
  expect(await promote(producer, '6')).toEqual(unavailable(/^Redis/))

  process.kill(redis.pid, 'SIGCONT')

  const again = await until('Redis answers', async () => {
    const result = await promote(producer, '6')
    return result.status === 'unavailable' ? undefined : result
  })
  expect(again.status).toMatch(/accepted|duplicate/)
  const reader = readerOn(redis.url)
  const versions = await reader.versions()
  expect(versions).toEqual(['5', '6'])
  expect(first).toMatchObject({ status: 'accepted' })
})

test('Redis hangs before it was ever reached: the answer comes in time', async () => {
  const redis = await ownRedis()
  process.kill(redis.pid, 'SIGSTOP')

  expect(await promote(producerOn(redis.url))).toEqual(unavailable(/did not answer/))
})

test('something else listens there and never says a word: the answer comes in time', async () => {
  const server = createServer(() => {})
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo

  expect(await promote(producerOn(`redis://127.0.0.1:${port}`))).toEqual(unavailable(/did not answer/))
})

test('a wrong password: the answer says that it was refused, and shows no secret', async () => {
  const redis = await ownRedis({ config: ['requirepass right-horse-battery'] })
  const url = redis.url.replace('//', '//:wrong-sentinel-secret@')

  const result = await promote(producerOn(url))

  expect(result).toEqual(unavailable(/WRONGPASS/))
  expect(JSON.stringify(result)).not.toMatch(/sentinel|horse/)
})

test('no password where one is needed: the answer says so', async () => {
  const redis = await ownRedis({ config: ['requirepass right-horse-battery'] })

  expect(await promote(producerOn(redis.url))).toEqual(unavailable(/NOAUTH/))
})

test('a host that nobody knows: the answer says so, without the address', async () => {
  const result = await promote(producerOn('redis://:sentinel-secret@nobody.invalid:6379'))

  expect(result).toEqual(unavailable(/ENOTFOUND|EAI_AGAIN/))
  expect(JSON.stringify(result)).not.toContain('sentinel')
})

test('Redis is full: the answer says so', async () => {
  const redis = await ownRedis({ config: ['maxmemory 1'] })

  expect(await promote(producerOn(redis.url))).toEqual(unavailable(/OOM/))
})

test('what is wrong with a promotion is told also while Redis is away', async () => {
  const redis = await ownRedis()
  await redis.kill()

  const result = await producerOn(redis.url).promote({ model: '', version: '5' })

  expect(result).toEqual({ status: 'invalid', problems: [{ field: 'model', problem: 'must not be empty' }] })
})

test('a promotion that was answered with unavailable is not taken in by itself once Redis is back', async () => {
  const redis = await ownRedis()
  await redis.kill()
  const producer = producerOn(redis.url)
  const results = await Promise.all([promote(producer, '5'), promote(producer, '6')])
  for (const result of results) expect(result.status).toBe('unavailable')

  await redis.restart()
  // Taken in too late for its answer, it is a duplicate the next time.
  await until('it is taken again', async () => (await promote(producer, '7')).status !== 'unavailable')

  expect(await readerOn(redis.url).versions()).toEqual(['7'])
})

test('once the ledger has a promotion it is accepted, also if its job can not be added in time', async () => {
  const redis = await ownRedis()
  const port = await hangingAt('promotionId', redis.port)

  const producer = producerOn(`redis://127.0.0.1:${port}`, DEFAULT_DEADLINE_MS)
  const call = () => producer.promote({ model: 'fraud-detector', version: '5' })

  const result = await inTime(call, DEFAULT_DEADLINE_MS)

  expect(result).toMatchObject({ status: 'accepted' })
  expect(await readerOn(redis.url).versions()).toEqual(['5'])
})

test('a hundred calls at once while Redis is away are all answered in time, without a warning', async () => {
  const redis = await ownRedis()
  await redis.kill()
  const warnings: Error[] = []
  const note = (warning: Error) => void warnings.push(warning)
  process.on('warning', note)
  onTestFinished(() => void process.off('warning', note))
  const producer = producerOn(redis.url)

  const results = await Promise.all(Array.from({ length: 100 }, (_, n) => promote(producer, String(n))))

  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['unavailable']))
  expect(warnings).toEqual([])
})

test('looking for a promotion fails in time when Redis is away, and closing does not hang', async () => {
  const redis = await ownRedis()
  const producer = producerOn(redis.url)
  await promote(producer)
  process.kill(redis.pid, 'SIGSTOP')
  await inTime(() => expect(producer.get('p-1')).rejects.toThrow())
  await redis.kill()

  await inTime(() => expect(producer.get('p-1')).rejects.toThrow())
  await inTime(producer.close, 0)
})

test('closing right after the start does not hang, with Redis there or not', async () => {
  const redis = await ownRedis()
  await createProducer({ redisUrl: redis.url }).close()
  await redis.kill()

  await inTime(createProducer({ redisUrl: redis.url }).close, 0)
})

test.each(['there', 'away'])(
  'a script that forgets to close its producer comes to its end all the same, with Redis %s',
  async (where) => {
    const redis = await ownRedis()
    if (where === 'away') await redis.kill()
    const script = `
      const { createProducer } = await import(${JSON.stringify(PRODUCER)})
      const producer = createProducer({ redisUrl: ${JSON.stringify(redis.url)}, deadlineMs: 500 })
      console.log((await producer.promote({ model: 'fraud-detector', version: '5' })).status)`

    const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
      timeout: 10_000,
    })

    expect((await run).stdout).toBe(where === 'there' ? 'accepted\n' : 'unavailable\n')
  },
)

/** A way to Redis that hands on nothing more from where a word is said. @returns its port */
async function hangingAt(word: string, port: number): Promise<number> {
  const server = createServer((socket) => {
    const onward = connect(port, '127.0.0.1')
    let hangs = false
    socket.on('data', (data) => {
      if (hangs) return
      const at = data.indexOf(word)
      hangs = at >= 0
      // Commands before that one, which came with it, are passed on.
      onward.write(hangs ? data.subarray(0, data.lastIndexOf('\r\n*', at) + 2) : data)
    })
    onward.pipe(socket)
    for (const end of [socket, onward]) end.on('error', () => {})
    socket.once('close', () => onward.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return (server.address() as AddressInfo).port
}

/** The versions that the ledger has, oldest first. */
function readerOn(url: string) {
  const redis = connectForWorker(url, silentLogger)
  onTestFinished(() => redis.disconnect())
  return {
    async versions() {
      const ids = await redis.zrange('{relay:0}:promotions', 0, '-1')
      return Promise.all(ids.map((id) => redis.hget(`{relay:0}:promotion:${id}`, 'version')))
    },
  }
}

// The producer's spool: kept where nobody can be reached, delivered once, in order, and never over something newer.
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { v7 as uuidv7 } from 'uuid'
import { describe, expect, onTestFinished, test } from 'vitest'
import { createHttpProducer } from '../../producer/http-producer.ts'
import { createProducer } from '../../producer/index.ts'
import { spool } from '../../producer/spool.ts'
import { isFlushing } from '../../producer/with-spool.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { startRelay } from '../support/relay.ts'
import { temporaryDir } from '../support/up.ts'
import { setup as startServer, TOKEN } from './http-setup.ts'

const NOBODY = 'redis://127.0.0.1:1'
const V5 = { model: 'fraud-detector', version: '5', accuracy: 0.93 }
const V6 = { model: 'fraud-detector', version: '6' }

function producerFor(redisUrl: string, spoolDir: string, deadlineMs = 2_000) {
  const producer = createProducer({ redisUrl, spoolDir, deadlineMs })
  onTestFinished(producer.close)
  if (!isFlushing(producer)) throw new Error('it has no spool')
  return producer
}

async function setup() {
  const directory = join(temporaryDir('spool'), 'spool')
  const away = producerFor(NOBODY, directory, 600)
  const keep = async (request: typeof V5 | typeof V6) => {
    const result = await away.promote(request)
    if (result.status !== 'spooled') throw new Error(JSON.stringify(result))
    return result.id
  }
  const files = () => readdirSync(directory).sort()
  return { directory, away, keep, files }
}

describe('with Redis away', () => {
  test('a promotion is kept within the deadline, by its own id, readable by its owner alone', async () => {
    const { directory, files } = await setup()
    const asOf = Date.now()
    const result = await producerFor(NOBODY, directory).promote(V5, { idempotencyKey: 'run-7' })

    // Two seconds, and one more for a machine that has other things to do.
    expect(Date.now() - asOf).toBeLessThan(3_000)
    expect(result).toMatchObject({ status: 'spooled', reason: expect.stringContaining('ECONNREFUSED') })
    const [file = ''] = files()
    expect(file).toMatch(/^[0-9a-f-]{36}-7c26873c30dfa9fe\.json$/)
    expect(statSync(join(directory, file)).mode & 0o777).toBe(0o600)
    expect(JSON.parse(readFileSync(join(directory, file), 'utf8'))).toEqual({
      schema: 1,
      id: file.slice(0, 36),
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      idempotencyKey: 'run-7',
      request: { model: 'fraud-detector', version: '5', environment: 'production', accuracy: 0.93 },
    })
  })

  test('it is of the time when it was promoted, which its caller may tell', async () => {
    const { away, directory, files } = await setup()
    const from = Date.now()
    const tried = away.promote(V5)
    const until = Date.now()
    await tried
    await away.promote({ ...V6, promotedAt: '2026-01-01T00:30:00+01:00' })

    const times = files().map((name) => JSON.parse(readFileSync(join(directory, name), 'utf8')).createdAt)
    expect(Date.parse(times[0])).toBeGreaterThanOrEqual(from)
    expect(Date.parse(times[0])).toBeLessThanOrEqual(until)
    expect(times[1]).toBe('2025-12-31T23:30:00.000Z')
  })

  test('what is not valid is refused, and not kept', async () => {
    const { away, directory } = await setup()
    expect(await away.promote({ ...V5, accuracy: 93 })).toMatchObject({ status: 'invalid' })
    expect(() => readdirSync(directory)).toThrow('ENOENT')
  })

  test('where it can not be kept either, the reason says so', async () => {
    const file = join(temporaryDir('spool'), 'no-directory')
    writeFileSync(file, '')
    const result = await producerFor(NOBODY, join(file, 'spool'), 600).promote(V5)
    expect(result).toMatchObject({
      status: 'unavailable',
      reason: expect.stringMatching(/nor can it be spooled \(ENOTDIR\)/),
    })
  })

  test('a full disk leaves nothing half written', async () => {
    const directory = join(temporaryDir('spool'), 'spool')
    mkdirSync(directory)
    const id = uuidv7()
    // Its place is taken: as far as the rename is concerned, a disk that refuses.
    mkdirSync(join(directory, `${id}-7c26873c30dfa9fe.json`))
    await expect(spool(directory, { id, createdAt: new Date(), request: V5 })).rejects.toThrow()
    expect(readdirSync(directory).filter((name) => name.startsWith('.'))).toEqual([])
  })
})

describe('delivered', () => {
  test('by the next call, before what that one brings, and deployed once each or superseded', async () => {
    const { keep, directory, files } = await setup()
    const five = await keep(V5)
    const relay = await startRelay()

    const result = await producerFor(relay.redisUrl, directory).promote(V6)

    expect(result).toMatchObject({ status: 'accepted' })
    expect(files()).toEqual([])
    await relay.idle()
    expect(relay.versionsRun().at(-1)).toBe('6')
    const [target] = await relay.reader.targets(9)
    expect(target).toMatchObject({ live: '6' })
    expect(['deployed', 'superseded']).toContain((await relay.reader.promotion(five))?.state)
  })

  test('by flush, in order, once, whoever does it and however often', async () => {
    const { keep, directory, files } = await setup()
    const ids = [await keep(V5), await keep(V6)]
    const relay = await startRelay({ workers: 0 })

    const both = await Promise.all([1, 2].map(() => producerFor(relay.redisUrl, directory).flush()))

    expect(both.map(({ left }) => left)).toEqual([0, 0])
    expect(files()).toEqual([])
    expect((await relay.reader.newest(9)).map(({ id }) => id).sort()).toEqual([...ids].sort())
    expect(await relay.reader.promotion(ids[0] ?? '')).toMatchObject({ state: 'superseded' })
    expect(await relay.reader.promotion(ids[1] ?? '')).toMatchObject({ state: 'accepted', version: '6' })
  })

  test('never over something that was promoted later', async () => {
    const { keep, directory } = await setup()
    const five = await keep(V5)
    const relay = await startRelay()
    await relay.ends(await relay.promote('6'))

    expect(await producerFor(relay.redisUrl, directory).flush()).toMatchObject({ delivered: 1, left: 0 })

    expect(await relay.reader.promotion(five)).toMatchObject({ state: 'superseded' })
    await relay.idle()
    expect(relay.versionsRun()).toEqual(['6'])
  })

  test('nor over something that was promoted while it was being tried', async () => {
    const { directory } = await setup()
    const relay = await startRelay()
    const tried = producerFor(NOBODY, directory).promote(V5)
    await relay.ends(await relay.promote('6'))
    const five = await tried
    if (five.status !== 'spooled') throw new Error(JSON.stringify(five))

    expect(await producerFor(relay.redisUrl, directory).flush()).toMatchObject({ delivered: 1, left: 0 })

    expect(await relay.reader.promotion(five.id)).toMatchObject({ state: 'superseded' })
    await relay.idle()
    expect(relay.versionsRun()).toEqual(['6'])
  })

  test('an answer that was lost makes no second promotion', async () => {
    const { directory, files } = await setup()
    const relay = await startRelay({ workers: 0 })
    const id = uuidv7()
    // Taken, and its producer has not heard so.
    expect(await relay.producer.promote({ ...V5, id })).toMatchObject({ status: 'accepted', id })
    await spool(directory, { id, createdAt: new Date(), request: V5 })

    expect(await producerFor(relay.redisUrl, directory).flush()).toMatchObject({ delivered: 1 })

    expect(files()).toEqual([])
    expect(await relay.reader.newest(9)).toHaveLength(1)
  })

  test('once Redis is back, after it was killed', async () => {
    const { directory } = await setup()
    const redis = await startPrivateRedis()
    onTestFinished(redis.stop)
    const producer = producerFor(redis.url, directory, 800)
    expect(await producer.promote({ ...V5, model: 'churn' })).toMatchObject({ status: 'accepted' })
    await redis.kill()
    const kept = await producer.promote(V5)
    expect(kept).toMatchObject({ status: 'spooled' })

    await redis.restart()
    const relay = await startRelay({
      redisUrl: redis.url,
      // The other one may have been sent before Redis ended: it is looked for first.
      pauses: { sendDeadlineMs: 200, dispatchTimeoutMs: 300, uncertainMs: 600 },
    })

    expect(await producer.flush()).toMatchObject({ delivered: 1, left: 0 })
    expect(kept.status === 'spooled' && (await relay.ends(kept.id))).toMatchObject({ state: 'deployed' })
  })

  test('through the server; one that is away, or has no use for the token, leaves all of it there', async () => {
    const { keep, directory, files } = await setup()
    const five = await keep(V5)
    const api = await startServer()
    const over = (url: string, token: string) => {
      const producer = createHttpProducer({ url, token, spoolDir: directory })
      if (!isFlushing(producer)) throw new Error('it has no spool')
      return producer
    }
    expect(await over('http://127.0.0.1:1', TOKEN).flush()).toMatchObject({ delivered: 0, left: 1 })
    expect(await over(api.url, 'another-token').flush()).toMatchObject({ delivered: 0, left: 1 })
    expect(files()).toHaveLength(1)
    expect(await over(api.url, TOKEN).flush()).toMatchObject({ delivered: 1, left: 0 })
    expect((await api.call('GET', `/v1/promotions/${five}`)).body).toMatchObject({ version: '5' })
  })
})

describe('what is wrong in the spool', () => {
  test('is put aside, and nothing waits for it', async () => {
    const { keep, directory, files } = await setup()
    const name = (id = uuidv7()) => `${id}-7c26873c30dfa9fe.json`
    const [torn, alien, link, wrong] = [name(), name(), name(), 'notes.json']
    await keep(V5)
    writeFileSync(join(directory, torn), '{"schema": 1, "id": "01a2')
    writeFileSync(join(directory, alien), '{"schema": 1}')
    writeFileSync(join(directory, wrong), '{}')
    symlinkSync('/etc/hostname', join(directory, link))
    const never = uuidv7()
    await spool(directory, { id: never, createdAt: new Date(), request: { ...V6, colour: 'red' } as never })
    const relay = await startRelay({ workers: 0 })

    const done = await producerFor(relay.redisUrl, directory).flush()

    expect(done).toMatchObject({
      delivered: 1,
      left: 0,
      refused: [{ reason: 'colour is not a known field' }],
    })
    expect(done.bad.sort()).toEqual([torn, alien, link, wrong].sort())
    expect(files()).toEqual(
      [...[torn, alien, link, wrong].map((one) => `${one}.bad`), `${name(never)}.refused`].sort(),
    )
    expect(await relay.reader.newest(9)).toHaveLength(1)
  })

  test('a file of a newer version stays, and so do later ones of its target', async () => {
    const { keep, directory, files } = await setup()
    const id = '01000000-0000-7000-8000-000000000001'
    await keep(V5)
    writeFileSync(join(directory, `${id}-7c26873c30dfa9fe.json`), '{"schema": 2}')
    const relay = await startRelay({ workers: 0 })

    expect(await producerFor(relay.redisUrl, directory).flush()).toMatchObject({ delivered: 0, left: 2 })
    expect(files()).toHaveLength(2)
  })

  test('what a killed process left is removed after an hour', async () => {
    const { keep, directory, files } = await setup()
    await keep(V5)
    const draft = join(directory, `.${uuidv7()}.tmp`)
    const fresh = `.${uuidv7()}.tmp`
    for (const path of [draft, join(directory, fresh)]) writeFileSync(path, '{')
    utimesSync(draft, new Date(0), new Date(0))
    const relay = await startRelay({ workers: 0 })

    await producerFor(relay.redisUrl, directory).flush()

    expect(files()).toEqual([fresh])
  })
})

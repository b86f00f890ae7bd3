// Jobs that another BullMQ client put into the queue: through accept, or to the dead letters with the reasons.
import type { Job } from 'bullmq'
import { describe, expect, test } from 'vitest'
import { type AcceptOptions, type AcceptResult, createAccept } from '../../shared/accept.ts'
import type { FieldProblem } from '../../shared/promotion.ts'
import { createIntake, idOfForeignJob } from '../../worker/dispatch/intake.ts'

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const ADDED_AT = Date.UTC(2026, 10, 23, 8)
const VALID = { model: 'fraud-detector', version: 5, accuracy: 0.9 }

type Status = Exclude<AcceptResult['status'], 'invalid'>

function setup(status: Status = 'accepted') {
  const accepted: { id: string; version: string; idempotencyKey?: string | undefined }[] = []
  const enqueued: string[] = []
  const buried: { id: string; data: unknown; problems: readonly FieldProblem[] }[] = []
  const lines: object[] = []
  const log = logTo(lines)
  const accept = createAccept({
    ledger: {
      async accept(id, { version }, idempotencyKey) {
        accepted.push({ id, version, ...(idempotencyKey ? { idempotencyKey } : {}) })
        return { status, id, state: 'accepted', version, job: 1, live: '' }
      },
    },
    enqueue: async ({ id }) => void enqueued.push(id),
    withdraw: async () => {},
    log,
  })
  const given: (AcceptOptions | undefined)[] = []
  const intake = createIntake({
    accept: (input, options) => {
      given.push(options)
      return accept(input, options)
    },
    buryInvalid: async (id, data, problems) => void buried.push({ id, data, problems }),
    log,
  })
  const take = (data: unknown, job: { id?: string; timestamp?: number } = {}) =>
    intake({ id: '17', timestamp: ADDED_AT, ...job, data } as Job)
  return { take, accepted, enqueued, buried, lines, given }
}

function logTo(lines: object[]) {
  const take = (line: object) => void lines.push(line)
  return { debug: take, info: take, warn: take, error: take, fatal: take } as never
}

describe('a foreign job', () => {
  test('with valid data is accepted under an id of its own', async () => {
    const { take, accepted, enqueued, buried } = setup()
    const note = await take(VALID)
    const id = idOfForeignJob('17', ADDED_AT)
    expect(accepted).toEqual([{ id, version: '5' }])
    expect(enqueued).toEqual([id])
    expect(note).toBe(`accepted: ${id}`)
    expect(buried).toEqual([])
  })

  test('taken in twice, since a worker died, is the same promotion', async () => {
    const { take, accepted } = setup()
    await take(VALID)
    await take(VALID)
    expect(new Set(accepted.map(({ id }) => id)).size).toBe(1)
  })

  test('that repeats a version says so in its note, and adds no job', async () => {
    const { take, enqueued } = setup('duplicate')
    expect(await take(VALID)).toMatch(/^duplicate: /)
    expect(enqueued).toEqual([])
  })

  test('with invalid data is buried with every reason, and not accepted', async () => {
    const { take, accepted, buried } = setup()
    const data = { model: '', version: 5, accuracy: 2, colour: 'red' }
    const note = await take(data)
    expect(accepted).toEqual([])
    expect(buried).toEqual([
      {
        id: idOfForeignJob('17', ADDED_AT),
        data,
        problems: [
          { field: 'model', problem: 'must not be empty' },
          { field: 'accuracy', problem: 'must be between 0 and 1' },
          { field: 'colour', problem: 'is not a known field' },
        ],
      },
    ])
    expect(note).toBe(
      'invalid: model must not be empty; accuracy must be between 0 and 1; colour is not a known field',
    )
  })

  test.each([
    ['nothing', undefined, 'invalid: is missing'],
    ['null', null, 'invalid: must be an object'],
    ['text', 'fraud-detector 5', 'invalid: must be an object'],
    ['a list', [VALID], 'invalid: must be an object'],
  ])('with %s for data is buried with the reason', async (_, data, note) => {
    const { take, buried } = setup()
    expect(await take(data)).toBe(note)
    expect(buried).toHaveLength(1)
  })

  test('of invalid data is told in one line that does not repeat the data', async () => {
    const { take, lines } = setup()
    await take({ model: 'm', version: '5', password: 'hunter2-hunter2' })
    expect(lines).toHaveLength(1)
    expect(JSON.stringify(lines)).toContain('password')
    expect(JSON.stringify(lines)).not.toContain('hunter2')
  })

  test('can not choose an idempotency key through its data', async () => {
    const { take, given } = setup()
    await take({ ...VALID })
    expect(given).toEqual([{ id: idOfForeignJob('17', ADDED_AT) }])
  })

  test('is not completed when it could not be buried', async () => {
    const lost = new Error('Redis is away')
    const intake = createIntake({
      accept: async () => ({ status: 'invalid', problems: [] }),
      buryInvalid: () => Promise.reject(lost),
      log: logTo([]),
    })
    await expect(intake({ id: '17', timestamp: ADDED_AT, data: {} } as Job)).rejects.toBe(lost)
  })
})

describe('the id of a foreign job', () => {
  test('is a UUIDv7 that carries the time at which the job was added', () => {
    const id = idOfForeignJob('17', ADDED_AT)
    expect(id).toMatch(UUID_V7)
    expect(Number.parseInt(id.replaceAll('-', '').slice(0, 12), 16)).toBe(ADDED_AT)
  })

  test('is the same for the same job', () => {
    expect(idOfForeignJob('17', ADDED_AT)).toBe(idOfForeignJob('17', ADDED_AT))
  })

  test('differs by the job’s id and by its time: a queue that was emptied counts from 1 again', () => {
    const ids = [
      idOfForeignJob('17', ADDED_AT),
      idOfForeignJob('18', ADDED_AT),
      idOfForeignJob('17', ADDED_AT + 1),
      idOfForeignJob('1', Number(`7${ADDED_AT}`)),
    ]
    expect(new Set(ids).size).toBe(4)
  })

  test.each([0, -1, 1.5, 2 ** 48 - 1, 2 ** 48, 1e300, Number.NaN, Number.POSITIVE_INFINITY])(
    'a timestamp of %d, which the foreign client sets, breaks nothing',
    (timestamp) => {
      expect(idOfForeignJob('17', timestamp)).toMatch(UUID_V7)
    },
  )

  test('differs by the time also where that time is none', () => {
    expect(idOfForeignJob('17', -1)).not.toBe(idOfForeignJob('17', -2))
  })

  test('a job id of any length and alphabet breaks nothing', () => {
    for (const jobId of ['', 'undefined', '\ud800', 'x'.repeat(100_000)])
      expect(idOfForeignJob(jobId, ADDED_AT)).toMatch(UUID_V7)
  })
})

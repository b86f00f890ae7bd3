// One look at a run: what each of GitHub's words means, when it ends, and how a run without an id is found.
import { describe, expect, test } from 'vitest'
import { type Promotion, promotionFrom, STATES } from '../../shared/ledger/promotion-record.ts'
import type { RunEnd, Wake } from '../../shared/ledger/steps.ts'
import { createLogger } from '../../shared/logger.ts'
import type { Repository, Run, RunAnswer, RunsAnswer } from '../../worker/github/client.ts'
import { createFollow } from '../../worker/track/follow.ts'

const ID = '019ab000-0000-7000-8000-000000000001'
const OTHER_ID = '019ab000-0000-7000-8000-00000000000f'
const NEWER: Wake = { id: '019ab000-0000-7000-8000-000000000002', job: 4 }
const DISPATCHED_AT = Date.UTC(2026, 10, 23, 8)
const MINUTE = 60_000
const LIMIT = 60 * MINUTE

function run(overrides: Partial<Run> = {}): Run {
  return {
    id: '15',
    htmlUrl: 'https://github.com/acme/models/actions/runs/15',
    displayTitle: 'CD',
    status: 'in_progress',
    conclusion: '',
    runAttempt: 1,
    createdAt: DISPATCHED_AT,
    updatedAt: DISPATCHED_AT,
    ...overrides,
  }
}

interface Situation {
  /** Of the promotion, as the ledger holds them. */
  fields?: Record<string, string>
  /** What GitHub answers of the run. */
  answer?: RunAnswer
  list?: RunsAnswer
  /** Whose run a run is. */
  owners?: Record<string, string>
  finished?: { finished?: boolean; wake?: Wake; waitedMs?: number; toStartMs?: number; ranMs?: number }
  withoutApproval?: boolean
  /** Since the dispatch, ms. */
  after?: number
  cancels?: boolean
  /** Whether the repository can be read. */
  readable?: boolean
}

function setup(situation: Situation = {}) {
  const {
    fields,
    answer,
    list,
    owners = {},
    finished,
    after = MINUTE,
    cancels = true,
    readable = true,
    withoutApproval = false,
  } = situation
  const done: string[] = []
  const asked: Repository[] = []
  const tracked: object[] = []
  const ends: RunEnd[] = []
  const seen: object[] = []
  const learnt: object[] = []
  const since: number[] = []
  const lines: Record<string, unknown>[] = []
  const promotion = promotionFrom({
    id: ID,
    state: 'dispatched',
    model: 'fraud-detector',
    version: '5',
    environment: 'production',
    acceptedAt: String(DISPATCHED_AT - MINUTE),
    dispatchedAt: String(DISPATCHED_AT),
    runId: '15',
    ...fields,
  })
  const follow = createFollow({
    ledger: {
      async track(what) {
        done.push(`track ${what.status}`)
        tracked.push(what)
        return { state: 'dispatched', changed: true }
      },
      async finish(end) {
        done.push(`finish ${end.state}`)
        ends.push(end)
        return { finished: true, state: end.state, sinceAcceptedMs: 2 * MINUTE, ...finished }
      },
    },
    promotion: async (id): Promise<Promotion | undefined> => (id === ID ? promotion : undefined),
    ownerOf: async (runId) => owners[runId] ?? '',
    searching: async () => [],
    untold: async () => [],
    github: {
      async getRun(repository, runId) {
        asked.push(repository)
        done.push(`get ${runId}`)
        return answer ?? { kind: 'run', run: run() }
      },
      async listRuns(_, workflow, sinceMs) {
        done.push(`list ${workflow}`)
        since.push(sinceMs)
        return list ?? { kind: 'runs', runs: [], complete: true }
      },
      async cancelRun(_, runId) {
        done.push(`cancel ${runId}`)
        return cancels
      },
      async repositoryState() {
        done.push('ask for the repository')
        return readable ? { ok: true } : { ok: false, detail: 'GitHub answered 404' }
      },
    },
    repository: { owner: 'acme', name: 'models' },
    workflow: 'cd_pipeline.yml',
    learnCorrelation: async (what) => void learnt.push(what),
    timeLimitMs: LIMIT,
    withoutApproval,
    wake: async ({ id, job }) => void done.push(`wake ${id} ${job}`),
    observe: (what) => void seen.push(what),
    log: createLogger({
      level: 'trace',
      redact: (text) => text,
      destination: {
        write(line) {
          const { time: _, ...rest } = JSON.parse(line)
          lines.push(rest)
          done.push('log')
        },
      },
    }),
    now: () => DISPATCHED_AT + after,
  })
  return {
    follow: () => follow(ID),
    followed: follow,
    done,
    asked,
    tracked,
    ends,
    seen,
    learnt,
    since,
    lines,
  }
}

/** A run that has completed. */
function completed(conclusion: string, more: Partial<Run> = {}): RunAnswer {
  return { kind: 'run', run: run({ status: 'completed', conclusion, ...more }) }
}

describe('nothing to follow', () => {
  test.each(STATES.filter((state) => state !== 'dispatched'))('a promotion that is %s', async (state) => {
    const { follow, done } = setup({ fields: { state } })
    expect(await follow()).toEqual({ kind: 'complete', note: `nothing to follow: ${state}` })
    expect(done).toEqual([])
  })

  test('a promotion that nobody knows', async () => {
    const { followed, done } = setup()
    expect(await followed(OTHER_ID)).toEqual({ kind: 'complete', note: 'nothing to follow: unknown' })
    expect(done).toEqual([])
  })
})

describe('a run that goes on', () => {
  test.each(['requested', 'queued', 'pending', 'waiting', 'in_progress', 'a_word_of_next_year'])(
    '%s is noted and looked at again',
    async (status) => {
      const { follow, done, tracked } = setup({ answer: { kind: 'run', run: run({ status }) } })
      expect(await follow()).toEqual({ kind: 'look-again', note: `run 15: ${status}` })
      expect(done).toEqual(['get 15', `track ${status}`])
      expect(tracked).toEqual([
        {
          id: ID,
          runId: '15',
          runUrl: 'https://github.com/acme/models/actions/runs/15',
          status,
          runAttempt: 1,
          updatedAt: DISPATCHED_AT,
        },
      ])
    },
  )

  test.each(['requested', 'queued', 'in_progress', 'a_word_of_next_year'])(
    'a conclusion beside %s is not final: it is that of an earlier attempt',
    async (status) => {
      const { follow, ends } = setup({ answer: { kind: 'run', run: run({ status, conclusion: 'success' }) } })
      expect(await follow()).toMatchObject({ kind: 'look-again' })
      expect(ends).toEqual([])
    },
  )

  test('completed without a conclusion is not final', async () => {
    const { follow, ends } = setup({ answer: completed('') })
    expect(await follow()).toEqual({ kind: 'look-again', note: 'run 15: completed' })
    expect(ends).toEqual([])
  })

  test('one that is not there yet is looked at again', async () => {
    const { follow, done } = setup({ answer: { kind: 'gone' } })
    expect(await follow()).toEqual({ kind: 'look-again', note: 'run 15 is not there (yet)' })
    expect(done).toEqual(['get 15'])
  })

  test.each([
    [`Deploy fraud-detector 5 ${ID}`, true],
    ['CD', false],
    [`Deploy churn 1 ${OTHER_ID}`, false],
  ])('its title %s tells whether runs can be found by promotion ids', async (displayTitle, shows) => {
    const { follow, learnt } = setup({ answer: { kind: 'run', run: run({ displayTitle }) } })
    await follow()
    expect(learnt).toEqual([{ runId: '15', shows }])
  })

  test('what is not there teaches nothing of the titles', async () => {
    const { follow, learnt } = setup({ answer: { kind: 'gone' } })
    await follow()
    expect(learnt).toEqual([])
  })

  test('GitHub not answering is no news', async () => {
    const { follow, done } = setup({ answer: { kind: 'unavailable', message: 'GitHub answered 503' } })
    expect(await follow()).toEqual({ kind: 'look-again', note: 'GitHub answered 503' })
    expect(done).toEqual(['get 15'])
  })
})

describe('a run that has completed', () => {
  test.each([
    ['success', 'deployed'],
    ['failure', 'failed'],
    ['startup_failure', 'failed'],
    ['action_required', 'failed'],
    ['neutral', 'failed'],
    ['stale', 'failed'],
    ['cancelled', 'cancelled'],
    ['skipped', 'cancelled'],
    ['timed_out', 'timed_out'],
    ['a_word_of_next_year', 'failed'],
  ])('with %s is %s', async (conclusion, state) => {
    const { follow, ends } = setup({ answer: completed(conclusion, { runAttempt: 2 }) })
    const word = conclusion === 'a_word_of_next_year' ? 'other' : conclusion
    expect(await follow()).toEqual({ kind: 'complete', note: `run 15: ${word}` })
    expect(ends).toEqual([
      {
        id: ID,
        runId: '15',
        runUrl: 'https://github.com/acme/models/actions/runs/15',
        runAttempt: 2,
        conclusion: word,
        state,
        updatedAt: DISPATCHED_AT,
      },
    ])
  })

  test('after it was seen waiting for an approval is noted first: that time is counted', async () => {
    const { follow, done } = setup({ fields: { runStatus: 'waiting' }, answer: completed('success') })
    await follow()
    expect(done.slice(0, 3)).toEqual(['get 15', 'track completed', 'finish deployed'])
  })

  test('is finished, told, and only then the next one is woken', async () => {
    const { follow, done } = setup({ answer: completed('success'), finished: { wake: NEWER } })
    await follow()
    expect(done).toEqual(['get 15', 'finish deployed', 'log', `wake ${NEWER.id} 4`])
  })

  test('is told in one line and counted once', async () => {
    const { follow, lines, seen } = setup({ answer: completed('success') })
    await follow()
    expect(seen).toEqual([{ conclusion: 'success', sinceAcceptedMs: 2 * MINUTE }])
    expect(lines).toEqual([
      {
        level: 'info',
        promotionId: ID,
        model: 'fraud-detector',
        version: '5',
        environment: 'production',
        state: 'deployed',
        conclusion: 'success',
        runId: '15',
        runUrl: 'https://github.com/acme/models/actions/runs/15',
        sinceAcceptedMs: 2 * MINUTE,
        msg: 'The version is live',
      },
    ])
  })

  test('a run that was seen running is counted with the times of its start and its end', async () => {
    const times = { toStartMs: 9_000, ranMs: MINUTE }
    const { follow, seen } = setup({ answer: completed('failure'), finished: times })
    await follow()
    expect(seen).toEqual([{ conclusion: 'failure', sinceAcceptedMs: 2 * MINUTE, ...times }])
  })

  test.each(['failure', 'timed_out'])('with %s is an error in the log', async (conclusion) => {
    const { follow, lines } = setup({ answer: completed(conclusion) })
    await follow()
    expect(lines).toMatchObject([{ level: 'error', conclusion, msg: 'The deployment did not succeed' }])
  })

  test('cancelled is an error in the log, unless a newer version goes', async () => {
    const alone = setup({ answer: completed('cancelled') })
    await alone.follow()
    const msg = 'The run was cancelled, and no newer version takes its place'
    expect(alone.lines).toMatchObject([{ level: 'error', conclusion: 'cancelled', msg }])

    const replaced = setup({ answer: completed('cancelled'), finished: { wake: NEWER } })
    await replaced.follow()
    expect(replaced.lines).toMatchObject([{ level: 'warn', conclusion: 'cancelled' }])
  })

  test.each([
    [false, 2 * MINUTE],
    [true, MINUTE],
  ])('with the approval left out of the latency: %s', async (withoutApproval, sinceAcceptedMs) => {
    const { follow, seen } = setup({
      answer: completed('success'),
      finished: { waitedMs: MINUTE },
      withoutApproval,
    })
    await follow()
    expect(seen).toEqual([{ conclusion: 'success', sinceAcceptedMs }])
  })

  test('told twice is neither told nor counted again, but wakes: the first may have died before it did', async () => {
    const { follow, done, seen } = setup({
      answer: completed('success'),
      finished: { finished: false, wake: NEWER },
    })
    expect(await follow()).toMatchObject({ kind: 'complete' })
    expect(done).toEqual(['get 15', 'finish deployed', `wake ${NEWER.id} 4`])
    expect(seen).toEqual([])
  })
})

describe('a run that is not there long after its dispatch', () => {
  const gone: RunAnswer = { kind: 'gone' }

  test('was deleted where the repository can be read: the promotion has failed, and the next one goes', async () => {
    const after = 10 * MINUTE + 1
    const { follow, done, ends } = setup({ answer: gone, after, finished: { wake: NEWER } })
    expect(await follow()).toEqual({ kind: 'complete', note: 'run 15: deleted' })
    expect(done).toEqual(['get 15', 'ask for the repository', 'finish failed', 'log', `wake ${NEWER.id} 4`])
    expect(ends).toMatchObject([{ id: ID, runId: '15', state: 'failed', conclusion: 'deleted' }])
  })

  test('is waited for where the repository can not be read: it may only be hidden', async () => {
    const { follow, ends } = setup({ answer: gone, after: 60 * MINUTE, readable: false })
    expect(await follow()).toEqual({ kind: 'look-again', note: 'run 15 is not there (yet)' })
    expect(ends).toEqual([])
  })

  test('is not given up one moment sooner', async () => {
    const { follow, done } = setup({ answer: gone, after: 10 * MINUTE })
    expect(await follow()).toMatchObject({ kind: 'look-again' })
    expect(done).toEqual(['get 15'])
  })
})

describe('the time limit', () => {
  test('asks GitHub to cancel the run, and keeps the place until it has', async () => {
    const { follow, done, lines } = setup({ after: LIMIT + 1 })
    expect(await follow()).toEqual({ kind: 'look-again', note: 'run 15: in_progress' })
    expect(done).toEqual(['get 15', 'track in_progress', 'cancel 15', 'log'])
    expect(lines).toMatchObject([{ level: 'warn', promotionId: ID, runId: '15', asked: true }])
  })

  test('that could not be asked for is asked for again at the next look', async () => {
    const { follow, done } = setup({ after: LIMIT + 1, cancels: false })
    await follow()
    expect(await follow()).toMatchObject({ kind: 'look-again' })
    expect(done.filter((step) => step === 'cancel 15')).toHaveLength(2)
  })

  test('leaves out the time for which the run waited for an approval', async () => {
    const fields = { waitedMs: String(5 * MINUTE) }
    const within = setup({ fields, after: LIMIT + 5 * MINUTE })
    await within.follow()
    expect(within.done).not.toContain('cancel 15')
    const past = setup({ fields, after: LIMIT + 5 * MINUTE + 1 })
    await past.follow()
    expect(past.done).toContain('cancel 15')
  })

  test('is not over at its very end', async () => {
    const { follow, done } = setup({ after: LIMIT })
    await follow()
    expect(done).not.toContain('cancel 15')
  })

  test('cancels no run that waits for approval', async () => {
    const { follow, done } = setup({
      answer: { kind: 'run', run: run({ status: 'waiting' }) },
      after: 24 * LIMIT,
    })
    expect(await follow()).toMatchObject({ kind: 'look-again' })
    expect(done).toEqual(['get 15', 'track waiting'])
  })

  test('cancels no run that has completed', async () => {
    const { follow, done } = setup({ answer: completed('success'), after: 24 * LIMIT })
    await follow()
    expect(done).not.toContain('cancel 15')
  })

  test.each([
    ['cancelled', 'timed_out'],
    ['success', 'deployed'],
    ['failure', 'failed'],
  ])('a run that ended after it with %s is %s, with GitHub’s own word', async (conclusion, state) => {
    const { follow, ends } = setup({ answer: completed(conclusion), after: LIMIT + 1 })
    await follow()
    expect(ends).toMatchObject([{ state, conclusion }])
  })
})

describe('a run whose id the dispatch did not tell', () => {
  const unknown = { runId: '' }
  const listed = (...runs: Run[]): RunsAnswer => ({ kind: 'runs', runs, complete: true })
  const seconds = (n: number) => DISPATCHED_AT + n * 1000

  test('is looked for among the workflow’s runs since a minute before the dispatch', async () => {
    const { follow, done, since } = setup({ fields: unknown })
    expect(await follow()).toEqual({ kind: 'look-again', note: 'its run is not listed yet' })
    expect(done).toEqual(['list cd_pipeline.yml'])
    expect(since).toEqual([DISPATCHED_AT - MINUTE])
  })

  test('is found by the promotion’s id in its title, and then followed', async () => {
    const list = listed(
      run({ id: '17', displayTitle: `Deploy a 1 ${OTHER_ID}` }),
      run({ id: '16', displayTitle: `Deploy fraud-detector 5 ${ID}`, createdAt: seconds(50) }),
      run({ id: '15' }),
    )
    const { follow, tracked } = setup({ fields: unknown, list })
    expect(await follow()).toEqual({ kind: 'look-again', note: 'run 16: in_progress' })
    expect(tracked).toMatchObject([{ id: ID, runId: '16' }])
  })

  test('found already completed is finished at once', async () => {
    const list = listed(run({ id: '16', displayTitle: ID, status: 'completed', conclusion: 'success' }))
    const { follow, done, ends } = setup({ fields: unknown, list })
    expect(await follow()).toEqual({ kind: 'complete', note: 'run 16: success' })
    expect(done).toEqual(['list cd_pipeline.yml', 'track completed', 'finish deployed', 'log'])
    expect(ends).toMatchObject([{ runId: '16', state: 'deployed' }])
  })

  test('of two with its id it is the older: CD ends the later one itself', async () => {
    const list = listed(
      run({ id: '18', displayTitle: ID, createdAt: seconds(9) }),
      run({ id: '16', displayTitle: ID }),
    )
    const { follow, tracked } = setup({ fields: unknown, list })
    await follow()
    expect(tracked).toMatchObject([{ runId: '16' }])
  })

  test.each([-15, 0, 15])(
    'without an id in titles, is the only one created %d s from the dispatch',
    async (after) => {
      const { follow, tracked } = setup({
        fields: unknown,
        list: listed(run({ id: '16', createdAt: seconds(after) })),
      })
      expect(await follow()).toMatchObject({ kind: 'look-again', note: 'run 16: in_progress' })
      expect(tracked).toMatchObject([{ runId: '16' }])
    },
  )

  test.each<[string, Partial<Run>]>([
    ['created too long before', { createdAt: seconds(-16) }],
    ['created too long after', { createdAt: seconds(16) }],
    ['created at a time that can not be read', { createdAt: Number.NaN }],
    ['that carries another promotion’s id', { displayTitle: `Deploy fraud-detector 5 ${OTHER_ID}` }],
  ])('is not one %s', async (_, overrides) => {
    const { follow, tracked } = setup({ fields: unknown, list: listed(run({ id: '16', ...overrides })) })
    expect(await follow()).toEqual({ kind: 'look-again', note: 'its run is not listed yet' })
    expect(tracked).toEqual([])
  })

  test('is not one that is another promotion’s', async () => {
    const { follow, tracked } = setup({
      fields: unknown,
      list: listed(run({ id: '16' })),
      owners: { 16: OTHER_ID },
    })
    expect(await follow()).toMatchObject({ kind: 'look-again' })
    expect(tracked).toEqual([])
  })

  test('is the one left over when the others are known', async () => {
    const list = listed(run({ id: '17' }), run({ id: '16' }))
    const { follow, tracked } = setup({ fields: unknown, list, owners: { 17: OTHER_ID } })
    await follow()
    expect(tracked).toMatchObject([{ runId: '16' }])
  })

  test('that could be either of two is not guessed: a person must say', async () => {
    const { follow, tracked } = setup({ fields: unknown, list: listed(run({ id: '17' }), run({ id: '16' })) })
    const { kind, note } = await follow()
    expect(kind).toBe('look-again')
    expect(note).toContain('2 runs could be its own')
    expect(note).toContain(`promotion-relay resolve ${ID} --run ID`)
    expect(tracked).toEqual([])
  })

  test('is looked for again while GitHub does not answer', async () => {
    const { follow, tracked } = setup({
      fields: unknown,
      list: { kind: 'unavailable', message: 'GitHub answered 502' },
    })
    expect(await follow()).toEqual({ kind: 'look-again', note: 'GitHub answered 502' })
    expect(tracked).toEqual([])
  })
})

describe('a promotion that was sent to another workflow than the settings name now', () => {
  const fields = { scope: 'acme/before/cd.yml' }

  test('is followed where its run is, and proves nothing of the workflow of now', async () => {
    const { follow, asked, ends, learnt } = setup({ fields, answer: completed('success') })
    await follow()
    expect(asked).toEqual([{ owner: 'acme', name: 'before' }])
    expect(ends).toMatchObject([{ state: 'deployed' }])
    expect(learnt).toEqual([])
  })

  test('is not looked for among the runs of the workflow of now', async () => {
    const { follow, done } = setup({ fields: { ...fields, runId: '' } })
    expect(await follow()).toMatchObject({
      kind: 'look-again',
      note: expect.stringContaining('acme/before/cd.yml'),
    })
    expect(done).toEqual([])
  })
})

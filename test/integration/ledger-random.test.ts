// Random calls in random order, as crashed workers, resent commands and impatient people make them, on few targets.
// A model of GitHub beside it knows which runs really exist; after each call the ledger must agree with itself.
import { expect, test } from 'vitest'
import { ENDED, type Promotion } from '../../shared/ledger/promotion-record.ts'
import { LISTED_STATES } from '../../shared/ledger/read.ts'
import type { Look, Next } from '../../shared/ledger/steps.ts'
import { AGAIN, behindCircuit, EXHAUSTED, REJECTED, REPOSITORY, setup, UNKNOWN } from './ledger-setup.ts'

interface Attempt {
  id: string
  attempt: number
  token: string
  /** The run that it started at GitHub, if it did. */
  run?: string
  next?: Next
}

const MODELS = ['a', 'b', 'a/b']
const STEPS = 600

test.each([1, 2])('whatever is called in whatever order, the ledger stays whole (seed %i)', async (seed) => {
  const world = await randomWorld(seed)
  for (let step = 0; step < STEPS; step++) {
    const did = await world.step()
    await world.check(`step ${step}: ${did}`)
  }
  await world.comeToRest()
  await world.check('at rest')

  // The judge is GitHub's own list of runs.
  const runs = world.runs()
  expect(runs.length).toBeGreaterThan(10)
  expect(new Set(runs.map(({ id }) => id)).size, 'a promotion has one run at most').toBe(runs.length)
  for (const model of MODELS) {
    const order = runs.filter((run) => run.model === model).map(({ seq }) => seq)
    expect(order, `versions of ${model} go out in the order of their acceptance`).toEqual(
      order.toSorted((x, y) => x - y),
    )
  }
})

async function randomWorld(seed: number) {
  const { accept, claim, end, look, ledger, reader, redis, key, finish } = await setup()
  const random = generator(seed)
  const below = (n: number) => Math.floor(random() * n)
  const pick = <T>(from: readonly T[]): T | undefined => from[below(from.length)]

  const ids: string[] = []
  const attempts: Attempt[] = []
  const runs: { id: string; run: string; model: string; seq: number }[] = []
  const live = new Map<string, string>()
  let tokens = 0
  let last: Promotion[] = []

  async function all(): Promise<Promotion[]> {
    return reader.promotions(ids)
  }

  /** Mostly one in such a state, now and then any other. */
  function oneIn(...states: string[]): string | undefined {
    const there = last.filter(({ state }) => states.includes(state)).map(({ id }) => id)
    return random() < 0.8 && there.length > 0 ? pick(there) : pick(ids)
  }

  const runOf = (id: string) => runs.find((run) => run.id === id)?.run

  async function acceptOne(): Promise<string> {
    const model = pick(MODELS) ?? ''
    const version = String(below(8))
    const again = random() < 0.1 ? { id: pick(ids) ?? 'p-first' } : {}
    const rollback = random() < 0.4
    const { status, id } = await accept(version, { model, rollback, ...again })
    if (status === 'accepted' && !ids.includes(id)) ids.push(id)
    return `accept ${model} ${version}: ${status} ${id}`
  }

  async function claimOne(id = oneIn('accepted', 'dispatching')): Promise<string> {
    if (!id) return 'nothing to claim'
    const old = attempts.findLast((one) => one.id === id)
    const resent = old && random() < 0.2
    const token = resent ? old.token : `t${++tokens}`
    // Time goes by: a circuit's is over.
    if (random() < 0.5) await redis.del(key('circuit', REPOSITORY))
    // At 0 everybody takes a silent attempt for dead. Here each has sent by then, or never will.
    const uncertainMs = random() < 0.3 ? 0 : 60_000
    const answer = await claim(id, { token, uncertainMs })
    if (answer.kind !== 'go') return `claim ${id} with ${token}: ${answer.kind}`
    if (!attempts.some((one) => one.token === token && one.attempt === answer.attempt)) {
      const attempt: Attempt = { id, attempt: answer.attempt, token }
      attempts.push(attempt)
      if (random() < 0.6) {
        attempt.run = String(10_000 + attempts.length)
        const { model, seq } = answer.promotion
        runs.push({ id, run: attempt.run, model, seq })
      }
    }
    return `claim ${id} with ${token}: ${answer.kind}`
  }

  /** What the attempt's worker may have learnt: the truth, or that it knows nothing. Resent, it is the same. */
  async function tellOne(attempt = pick(attempts.slice(-12))): Promise<string> {
    if (!attempt) return 'nothing to tell'
    if (!attempt.next) {
      const truth = attempt.run
        ? { kind: 'track' as const, runId: attempt.run }
        : (pick([AGAIN, REJECTED, EXHAUSTED, behindCircuit(0)]) ?? AGAIN)
      attempt.next = random() < 0.2 ? UNKNOWN : truth
    }
    const { id, token, next } = attempt
    const recorded = await end(id, next, { attempt: attempt.attempt, token, fault: random() < 0.1 })
    return `tell ${id} ${next.kind}: ${recorded.kind}`
  }

  /** The resolver looks at GitHub's list: mostly it sees the truth, now and then what it can't explain. */
  async function resolveOne(id = oneIn('dispatching')): Promise<string> {
    if (!id) return 'nothing to resolve'
    const runId = runOf(id)
    const seen: Look = runId ? { kind: 'found', runId, runUrl: '' } : { kind: 'not_listed' }
    const unexplained: Look = { kind: 'unexplained', detail: 'a run of somebody' }
    const attempt = (await reader.promotion(id))?.attempts ?? 0
    const resolved = await look(id, random() < 0.2 ? unexplained : seen, { attempt })
    return `resolve ${id}: ${resolved.kind}`
  }

  async function finishOne(of = runs.find((run) => run.id === oneIn('dispatched'))): Promise<string> {
    if (!of) return 'nothing to finish'
    const state = pick(['deployed', 'failed', 'cancelled'] as const) ?? 'failed'
    const version = (await reader.promotion(of.id))?.version ?? ''
    const { finished } = await finish(of.id, of.run, state)
    if (finished && state === 'deployed') live.set(of.model, version)
    return `finish ${of.id}: ${finished}`
  }

  async function trackOne(): Promise<string> {
    const of = pick(runs)
    if (!of) return 'nothing to track'
    const status = pick(['queued', 'in_progress', 'completed']) ?? ''
    await ledger.track({ id: of.id, runId: of.run, runUrl: '', status, runAttempt: 1 })
    return `track ${of.id}`
  }

  async function redriveOne(id = oneIn('dead_lettered', 'unresolved')): Promise<string> {
    if (!id) return 'nothing to redrive'
    return `redrive ${id}: ${(await ledger.redrive(id, 1 + below(2), 'eve')).kind}`
  }

  /** A person looks at GitHub and tells the truth. */
  async function settleOne(id = oneIn('unresolved')): Promise<string> {
    if (!id) return 'nothing to settle'
    const runId = runOf(id)
    return `settle ${id}: ${(await ledger.settle(id, runId ? { runId } : { absent: true }, 'eve')).kind}`
  }

  const CALLS = [
    acceptOne,
    claimOne,
    claimOne,
    tellOne,
    tellOne,
    finishOne,
    finishOne,
    resolveOne,
    trackOne,
    redriveOne,
    settleOne,
  ]

  return {
    runs: () => runs,
    step: () => (pick(CALLS) ?? acceptOne)(),

    async check(when: string) {
      const promotions = await all()
      last = promotions
      expect(promotions.length, when).toBe(ids.length)
      const byState = async (name: string) => redis.zrange(name, 0, '-1')
      for (const state of LISTED_STATES) {
        const listed = (await byState(key('state', state))).toSorted()
        const there = promotions.filter((one) => one.state === state).map(({ id }) => id)
        expect(listed, `${when}: list of ${state}`).toEqual(there.toSorted())
      }
      const ended = promotions.filter((one) => ENDED.includes(one.state)).map(({ id }) => id)
      expect((await byState(key('ended'))).toSorted(), `${when}: list of the ended`).toEqual(ended.toSorted())

      for (const model of MODELS) {
        const target = await redis.hgetall(key('target', `production/${model}`))
        const own = promotions.filter((one) => one.model === model)
        const at = (...states: string[]) =>
          own.filter(({ state }) => states.includes(state)).map(({ id }) => id)
        const reached = (name: string) => (target[name] ? [target[name]] : [])
        expect(at('accepted'), `${when}: who waits for ${model}`).toEqual(reached('pending'))
        expect(at('dispatching', 'dispatched', 'unresolved'), `${when}: in flight of ${model}`).toEqual(
          reached('inFlight'),
        )
        expect(target.live, `${when}: live of ${model}`).toBe(live.get(model))
        const newest = own.toSorted((x, y) => x.seq - y.seq).at(-1)
        expect(target.newest, `${when}: newest of ${model}`).toBe(newest?.id)
      }
    },

    /** Everybody does what is left to do: then nothing may be left on its way. */
    async comeToRest() {
      for (let round = 0; round < 50; round++) {
        const moving = (await all()).filter(
          ({ state }) => !ENDED.includes(state) && state !== 'dead_lettered',
        )
        if (moving.length === 0) return
        for (const { id, state } of moving) {
          if (state === 'accepted') await claimOne(id)
          if (state === 'dispatching') {
            await tellOne(attempts.findLast((one) => one.id === id))
            await resolveOne(id)
          }
          if (state === 'unresolved') await settleOne(id)
          if (state === 'dispatched') await finishOne(runs.find((one) => one.id === id))
        }
      }
      throw new Error(`not at rest: ${JSON.stringify(await all())}`)
    },
  }
}

/** mulberry32: the same numbers for the same seed. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

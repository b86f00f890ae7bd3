// One world of the model: a ledger on a real Redis, a GitHub that is simulated, a clock that can be moved on, and
// clients that run the product's own code (handle, resolver, follow, hear, prober) one call at a time. After every call of
// a script the whole ledger is read and judged.
import type { Redis } from 'ioredis'
import { createCircuits } from '../../shared/ledger/circuits.ts'
import { createCorrelation } from '../../shared/ledger/correlation.ts'
import { createLedger } from '../../shared/ledger/ledger.ts'
import type { State } from '../../shared/ledger/promotion-record.ts'
import { createLedgerReader } from '../../shared/ledger/read.ts'
import type { ReadScript } from '../../shared/ledger/scripts.ts'
import { type Client, type Gate, NO_ANSWER, startClient } from './clients.ts'
import { createGithubDouble, type GithubTraits, type Send } from './github.ts'
import {
  checkClaims,
  checkMoves,
  checkOwnRuns,
  checkRuns,
  checkUnchanged,
  checkWhole,
  targetOf,
} from './invariants.ts'
import { createLedgerKeys, type Fields } from './ledger-keys.ts'
import { type Call, emptyReference, type Reference } from './reference.ts'
import { SCOPE } from './route.ts'

/** What befalls one call; of each kind of call that part counts which speaks of it. */
export interface How {
  /** A script: as it should; carried out unheard, and sent again later; carried out twice at once. */
  script: 'heard' | 'unheard' | 'twice'
  send: Send
  /** Until the run that it creates is listed, ms. */
  listedAfterMs: number
  list: 'complete' | 'partial' | 'unavailable'
  /** Reading a run, a repository, a workflow. */
  read: 'told' | 'unavailable'
}

export const AS_IT_SHOULD: How = {
  script: 'heard',
  send: 'taken',
  listedAfterMs: 0,
  list: 'complete',
  read: 'told',
}

export interface Traits extends GithubTraits {
  /** Its runs have shown promotion ids before. */
  proven: boolean
  maxAttempts: number
  /** Time between two dispatches, ms. */
  slotMs: number
  maxClaims?: number
  /** A deployment that fails is rolled back. */
  rollsBack: boolean
  /** Redis may lose its last writes. */
  losesWrites: boolean
}

export type WorldClient = Client<How>
export type World = Awaited<ReturnType<typeof createWorld>>

/** How often each kind of answer was given, over all worlds: what never occurs is not tested. */
export const tally = new Map<string, number>()

function kindOf(answer: unknown): string {
  const { kind, code, status, finished, changed, rollback } = (answer ?? {}) as Record<string, unknown>
  return [kind, code, status, finished, changed, rollback && 'rolls back']
    .filter((one) => one !== undefined)
    .join(' ')
}

/** A server forgets what it was told within this time at most, ms. */
const FORGETS_MS = 2_000

export async function createWorld(redis: Redis, traits: Traits, read?: ReadScript) {
  await redis.flushdb()
  let offsetMs = 0
  const now = () => Date.now() + offsetMs
  const github = createGithubDouble(traits, { now, offset: () => offsetMs })
  const keys = createLedgerKeys(redis)
  const source = { redis, ...(read && { read }) }
  let reference = emptyReference()
  let lostOnce = false
  let whole = await keys.read()
  let memory: { back(): Promise<void>; reference: Reference; at: number; refused: boolean } | undefined
  const clients: WorldClient[] = []
  const earlier: { kind: Call; what: string; again(): Promise<unknown> }[] = []
  const trail: string[] = []
  let numbers = 0

  const refused = () => Boolean(whole.others.get(`adjustments:${SCOPE}`)?.['input:promotion_id'])

  function judge() {
    checkWhole(whole, reference, lostOnce)
    checkRuns(github.runs, reference)
    checkOwnRuns(whole, github.runs)
  }

  const correlation = createCorrelation(source)
  if (traits.named && traits.proven) await correlation.learn(SCOPE, { runId: '1', shows: true })
  whole = await keys.read()

  const world = {
    traits,
    redis,
    github,
    ledger: createLedger(source),
    circuits: createCircuits(source),
    reader: createLedgerReader({ redis }),
    correlation,
    clients,
    earlier,
    trail,
    now,
    /** A time of the world's clock as the ledger has it now: there the past moves away. */
    stored: (at: number | undefined) => (at ? at - offsetMs : 0),
    reference: () => reference,
    whole: () => whole,
    number: () => ++numbers,
    /** Of the form that ours have. What may be forgotten was made long ago: accepted again, it is looked for. */
    newId: () =>
      `${traits.losesWrites ? '00000000' : 'ffffffff'}-0000-7000-8000-${String(++numbers).padStart(12, '0')}`,
    pendingOf: (model: string) => whole.targets.get(targetOf(model))?.pending || undefined,
    stateOf: (id: string) => whole.promotions.get(id)?.state as State | undefined,
    ids: (is: (fields: Fields) => boolean) =>
      [...whole.promotions].flatMap(([id, fields]) => (is(fields) ? [id] : [])).toSorted(),

    /** Calls a script and judges what it has done. */
    async script<A>(
      kind: Call,
      what: string,
      run: () => Promise<A>,
      how: How['script'] = 'heard',
    ): Promise<A> {
      trail.push(`${what} (${how})`)
      const before = whole
      const answer = await run()
      tally.set(`${kind} ${kindOf(answer)}`, (tally.get(`${kind} ${kindOf(answer)}`) ?? 0) + 1)
      trail.push(`  answers ${JSON.stringify(answer)?.slice(0, 200)}`)
      whole = await keys.read()
      checkMoves(before, whole, kind)
      if (kind === 'claim') checkClaims(before, whole, answer)
      judge()
      if (how === 'twice') {
        const once = whole
        const second = await run()
        whole = await keys.read()
        checkUnchanged(once, whole, what)
        if (kind === 'outcome' && JSON.stringify(second) !== JSON.stringify(answer)) {
          throw new Error(
            `${what} sent twice answers ${JSON.stringify(answer)}, then ${JSON.stringify(second)}`,
          )
        }
      }
      return answer
    },

    unchangedSince(before: typeof whole) {
      checkUnchanged(before, whole, 'what nobody should call')
    },

    /** A script called by a client, which stands at it until it is stepped. */
    call<A>(gate: Gate<How>, kind: Call, what: string, run: () => Promise<A>): Promise<A> {
      return gate(what, async ({ script }) => {
        if (kind !== 'settle')
          earlier.push({ kind, what, again: () => world.script(kind, `again: ${what}`, run) })
        const answer = await world.script(kind, what, run, script)
        return script === 'unheard' ? NO_ANSWER : { answer }
      })
    },

    async start(name: string, body: (gate: Gate<How>) => Promise<unknown>): Promise<WorldClient> {
      trail.push(`${name} begins`)
      const client = await startClient(name, now(), body)
      if (client.standsAt() !== undefined) clients.push(client)
      return client
    },

    /** Lets a client take so many steps as there are ways said, or until it ends. */
    async step(client: WorldClient, hows: readonly How[]) {
      for (const how of hows) {
        if (client.standsAt() === undefined) break
        await client.step(how)
      }
      if (client.standsAt() === undefined) world.crash(client)
    },

    crash(client: WorldClient) {
      const at = clients.indexOf(client)
      if (at >= 0) clients.splice(at, 1)
    },

    /**
     * Nobody sends again any more what was accepted: spools and connections are long done with it. Nor does a person
     * repeat unasked what was true before.
     */
    acceptedForGood() {
      for (const client of clients.filter(({ name }) => /^(accept|person)/.test(name))) world.crash(client)
      const others = earlier.filter(({ kind }) => kind !== 'accept' && kind !== 'rollback')
      earlier.splice(0, earlier.length, ...others)
    },

    async pass(ms: number) {
      trail.push(`${ms} ms pass`)
      offsetMs += ms
      github.catchUp()
      await keys.pass(ms)
      whole = await keys.read()
      judge()
    },

    /** Redis is restarted and has lost nothing. */
    async restart() {
      trail.push('Redis is restarted')
      await keys.restart()
      whole = await keys.read()
    },

    /** What Redis holds now is on its disk. */
    async remember() {
      trail.push('Redis has it on its disk')
      memory = {
        back: await keys.remember(),
        reference: structuredClone(reference),
        at: now(),
        refused: refused(),
      }
    },

    /**
     * Not the answer that the workflow refuses promotion ids: what is sent without one in the same lost second can't
     * be told from what was never sent.
     */
    mayForget: () => memory !== undefined && now() - memory.at < FORGETS_MS && memory.refused === refused(),

    /** Redis is restarted, and what came after it last wrote its disk is lost. */
    async forget() {
      if (!memory) return
      trail.push('Redis is restarted and has lost its last writes')
      world.acceptedForGood()
      await memory.back()
      const forgotten = reference.accepted
      reference = { ...memory.reference, accepted: forgotten }
      memory = undefined
      lostOnce = true
      whole = await keys.read()
      judge()
    },
  }
  return world
}

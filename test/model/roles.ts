// Who calls the ledger, each the product's own code between its calls: producers, workers, the resolver, the prober of
// circuits. Who follows runs: `run-roles.ts`; people: `people.ts`.
import { isDeepStrictEqual } from 'node:util'
import type { Circuits } from '../../shared/ledger/circuits.ts'
import { silentLogger } from '../../shared/logger.ts'
import { validatePromotion } from '../../shared/promotion.ts'
import { createProber } from '../../worker/circuits/prober.ts'
import { createHandle, SEND_DEADLINE_MS } from '../../worker/dispatch/handle.ts'
import type { RunsAnswer } from '../../worker/github/client.ts'
import { PAUSES } from '../../worker/pauses.ts'
import { createResolver } from '../../worker/resolve/resolver.ts'
import type { Gate } from './clients.ts'
import { LISTED_WITHIN_MS } from './github.ts'
import { type Request, takeIn } from './reference.ts'
import { REPOSITORY, SCOPE, WORKFLOW } from './route.ts'
import type { How, World, WorldClient } from './world.ts'

export const OWNER = { owner: 'acme', name: 'models' }
const SEND_MS = PAUSES.sendDeadlineMs + PAUSES.dispatchTimeoutMs
const PATIENCE_MS = LISTED_WITHIN_MS - SEND_MS
const BACKOFF = { baseMs: 1_000, maxMs: 60_000 }
export const nothing = async () => {}

export function accept(world: World, request: Request): Promise<WorldClient> {
  const { id, key, ...rest } = request
  const valid = validatePromotion(rest)
  if (!valid.ok) throw new Error(JSON.stringify(valid.problems))
  return world.start(`accept ${id}`, (gate) =>
    world.call(gate, 'accept', `accept ${JSON.stringify(request)}`, async () => {
      const expected = takeIn(world.reference(), request, world.stateOf, world.now())
      const { status, id: answered } = await world.ledger.accept(id, valid.value, key)
      const seen = { status, id: answered }
      if (!isDeepStrictEqual(seen, expected)) {
        throw new Error(`accept answers ${JSON.stringify(seen)}, and not ${JSON.stringify(expected)}`)
      }
      return seen
    }),
  )
}

/** A worker that has a promotion's job. */
export function work(world: World, id: string, enabled = true): Promise<WorldClient> {
  const worker = `w${world.number()}`
  const { maxAttempts, slotMs, maxClaims } = world.traits
  let tokens = 0
  const startedAt = world.now()
  const body = (gate: Gate<How>) =>
    createHandle({
      ledger: {
        claim: (request) =>
          world.call(gate, 'claim', `${worker} claims ${id}`, () =>
            world.ledger.claim({ ...request, ...(maxClaims && { maxClaims }) }),
          ),
        recordOutcome: (end) =>
          world.call(
            gate,
            'outcome',
            `${worker} tells ${id} #${end.attempt} ${end.outcome}: ${end.next.kind}`,
            () => world.ledger.recordOutcome(end),
          ),
      },
      route: {
        owner: OWNER,
        repository: REPOSITORY,
        workflow: WORKFLOW,
        ref: 'main',
        enabled,
        slotMs,
        maxAttempts,
        backoff: BACKOFF,
        circuitPauseMs: PAUSES.circuitPauseMs,
        faultPauseMs: PAUSES.faultPauseMs,
        uncertainMs: PAUSES.uncertainMs,
        recheckMs: PAUSES.recheckMs,
      },
      dispatch: (call) =>
        gate(`${worker} sends ${id}`, async ({ send, listedAfterMs }) => {
          const late = world.now() - startedAt > SEND_DEADLINE_MS
          const answer = late
            ? ({ kind: 'not_sent', code: 'SEND_DEADLINE', message: 'too late' } as const)
            : world.github.send(send, call, startedAt, listedAfterMs)
          world.trail.push(`${worker} sends ${id}: ${late ? 'not sent, too late' : send}`)
          return { answer }
        }),
      follow: nothing,
      bury: nothing,
      wake: nothing,
      circuitsChanged: nothing,
      observe: () => {},
      log: silentLogger,
      worker,
      random: () => 0.5,
      token: () => `${worker}.${++tokens}`,
      now: Date.now,
    })(id)
  return world.start(`${worker} with ${id}`, body)
}

/** Could a client that stands still send this promotion yet? */
export function mayStillSend(world: World, id: string): boolean {
  const late = (client: WorldClient) => world.now() - client.startedAt > SEND_DEADLINE_MS
  const sending = world.clients.some((client) => client.name.endsWith(` with ${id}`) && !late(client))
  return sending || world.github.mayStillCreate(id)
}

export function listing(world: World, gate: Gate<How>, who: string) {
  return (_: unknown, __: string, sinceMs: number) =>
    gate<RunsAnswer>(`${who} lists runs`, async ({ list }) => {
      world.trail.push(`${who} lists runs: ${list}`)
      if (list === 'unavailable') return { answer: { kind: 'unavailable', message: 'not now' } }
      return { answer: world.github.listRuns(sinceMs, list === 'complete') }
    })
}

export function resolve(world: World): Promise<WorldClient> {
  const who = `resolver ${world.number()}`
  return world.start(who, (gate) =>
    createResolver({
      ledger: {
        resolve: (looked) =>
          world.call(
            gate,
            'resolve',
            `${who} says of ${looked.id} #${looked.attempt}: ${looked.look.kind}`,
            () => world.ledger.resolve(looked),
          ),
      },
      scope: SCOPE,
      repository: OWNER,
      workflow: WORKFLOW,
      inDoubt: world.reader.inDoubt,
      proven: world.correlation.proven,
      owners: world.reader.owners,
      // A lease ends by itself: two at once are possible.
      lease: async () => true,
      github: { listRuns: listing(world, gate, who) },
      follow: nothing,
      bury: nothing,
      wake: nothing,
      log: silentLogger,
      sendMs: SEND_MS,
      patienceMs: PATIENCE_MS,
      maxAttempts: world.traits.maxAttempts,
      backoff: BACKOFF,
      random: () => 0.5,
    })(),
  )
}

export function probe(world: World): Promise<WorldClient> {
  const who = `prober ${world.number()}`
  return world.start(who, (gate) => {
    const usable = async (what: string) =>
      gate<{ ok: true } | { ok: false; detail: string }>(`${who} reads ${what}`, async ({ read }) => ({
        answer: read === 'told' ? { ok: true } : { ok: false, detail: 'not yet' },
      }))
    const circuits: Pick<Circuits, 'take' | 'settle'> = {
      take: (scope, options) =>
        world.call(gate, 'circuit', `${who} takes ${scope}`, () => world.circuits.take(scope, options)),
      settle: (due, verdict) =>
        world.call(gate, 'circuit', `${who} settles ${due.scope} ${due.number}: ${verdict.kind}`, () =>
          world.circuits.settle(due, verdict),
        ),
    }
    return createProber({
      circuits,
      openCircuits: world.reader.openCircuits,
      github: { repositoryState: () => usable('repository'), workflowState: () => usable('workflow') },
      repository: OWNER,
      workflow: WORKFLOW,
      wakeWaiting: async () => 0,
      removeEntry: nothing,
      log: silentLogger,
    }).probeDue()
  })
}

/** As if all had ended long ago. */
export async function trim(world: World) {
  const before = world.ids(() => true)
  const answer = await world.ledger.trim(0)
  const left = new Set(await world.redis.zrange('{relay:0}:promotions', 0, '-1'))
  world.reference().trimmed.push(...before.filter((id) => !left.has(id)))
  return answer
}

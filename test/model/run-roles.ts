// Who follows runs: the poll's look at one, and the hearing of a webhook, each the product's own code between its calls.
import type { RunEnd, RunSeen } from '../../shared/ledger/steps.ts'
import { silentLogger } from '../../shared/logger.ts'
import type { RunEvent } from '../../shared/run-event.ts'
import { createTakeHint } from '../../shared/take-hint.ts'
import type { RunAnswer } from '../../worker/github/client.ts'
import { createFollow } from '../../worker/track/follow.ts'
import { createHear } from '../../worker/track/hear.ts'
import type { Gate } from './clients.ts'
import { takeSuccess } from './reference.ts'
import { listing, nothing, OWNER } from './roles.ts'
import { takeBack, takeRollback, toPutBack } from './rollbacks.ts'
import { SCOPE, WORKFLOW } from './route.ts'
import type { How, World, WorldClient } from './world.ts'

export function follow(world: World, id: string): Promise<WorldClient> {
  const who = `follower ${world.number()}`
  return world.start(`${who} of ${id}`, (gate) => follower(world, gate, who)(id))
}

/** A webhook comes: it is noted at once where that is all there is to it, else a worker hears it. */
export function hear(world: World, event: RunEvent): Promise<WorldClient> {
  const { delivery, runId, runAttempt, status, promotionIds } = event
  const who = `hearer ${world.number()}`
  const told = `run ${runId}, attempt ${runAttempt}: ${status}, of ${promotionIds.join(', ') || 'nobody'}`
  world.trail.push(`${who} is told by ${delivery}: ${told}`)
  return world.start(`${who} of ${delivery}`, async (gate) =>
    (await taker(world, gate, who)(event)) ? undefined : hearer(world, gate, who)(event),
  )
}

function taker(world: World, gate: Gate<How>, who: string) {
  return createTakeHint({
    ledger: {
      trackTold: (seen) =>
        world.call(gate, 'told', `${who} notes run ${seen.runId}: ${seen.status}`, () =>
          world.ledger.trackTold({ ...seen, updatedAt: world.stored(seen.updatedAt) }),
        ),
    },
    arrived: nothing,
  })
}

function hearer(world: World, gate: Gate<How>, who: string) {
  return createHear({
    ...ofRuns(world, gate, who),
    ledger: {
      adopt: (seen) =>
        world.call(gate, 'adopt', `${who} adopts run ${seen.runId} for ${seen.id}`, () =>
          world.ledger.adopt(seen),
        ),
      track: (seen) => track(world, gate, who, seen),
      rerun: (end) =>
        world.call(
          gate,
          'rerun',
          `${who} notes attempt ${end.runAttempt} of run ${end.runId}: ${end.conclusion}`,
          async () => {
            const noted = await world.ledger.rerun({ ...end, updatedAt: world.stored(end.updatedAt) })
            const succeeds = noted.kind === 'noted' && end.success
            if (succeeds && takeSuccess(world.reference(), end.id, end.updatedAt)) takeBack(world, end.id)
            return noted
          },
        ),
    },
    look: follower(world, gate, who),
    arrived: nothing,
    follow: nothing,
  })
}

function follower(world: World, gate: Gate<How>, who: string) {
  return createFollow({
    ...ofRuns(world, gate, who),
    ledger: {
      track: (seen) => track(world, gate, who, seen),
      finish: (end) =>
        world.call(gate, 'finish', `${who} finishes ${end.id}: run ${end.runId} ${end.state}`, () =>
          finish(world, end),
        ),
    },
    learnCorrelation: (seen) => world.correlation.learn(SCOPE, seen),
    timeLimitMs: 60 * 60_000,
    rollBack: world.traits.rollsBack,
    wake: nothing,
    observe: () => {},
    now: Date.now,
  })
}

function ofRuns(world: World, gate: Gate<How>, who: string) {
  return {
    promotion: world.reader.promotion,
    ownerOf: world.reader.ownerOf,
    searching: () => world.reader.searching(SCOPE),
    untold: () => world.reader.untold(SCOPE),
    github: {
      getRun: (_: unknown, runId: string) =>
        gate<RunAnswer>(`${who} asks for run ${runId}`, async ({ read }) => {
          const unavailable = { kind: 'unavailable', message: 'not now' } as const
          return { answer: read === 'told' ? world.github.getRun(runId) : unavailable }
        }),
      listRuns: listing(world, gate, who),
      async cancelRun(_: unknown, runId: string) {
        const run = world.github.runs.find(({ id }) => id === runId)
        // Past its time limit, then: here no run is started after its promotion has given way.
        if (!run || world.whole().promotions.get(run.promotion)?.runId !== runId)
          throw new Error(`${who} cancels run ${runId}, which nobody has asked for`)
        world.trail.push(`${who} cancels run ${runId}`)
        world.github.end(run, 'cancelled')
        return true
      },
      repositoryState: async () => ({ ok: true }) as const,
    },
    repository: OWNER,
    workflow: WORKFLOW,
    log: silentLogger,
  }
}

function track(world: World, gate: Gate<How>, who: string, seen: RunSeen) {
  const { id, runId, status, told } = seen
  return world.call(gate, told ? 'told' : 'track', `${who} tracks ${id}: run ${runId} ${status}`, () =>
    world.ledger.track({ ...seen, updatedAt: world.stored(seen.updatedAt) }),
  )
}

/** @param end its time of the world's clock */
export async function finish(world: World, end: RunEnd) {
  const expected = end.rollbackId ? toPutBack(world, end.id) : undefined
  const answer = await world.ledger.finish({ ...end, updatedAt: world.stored(end.updatedAt) })
  const { rollback } = answer
  if (rollback?.version !== (answer.finished ? expected : undefined))
    throw new Error(`${end.id} has ended, and ${rollback?.version} is put back, not ${expected}`)
  if (answer.finished && end.state === 'deployed') takeSuccess(world.reference(), end.id, end.updatedAt ?? 0)
  const { model = '', version: from = '' } = world.reference().promotions[end.id] ?? {}
  if (rollback)
    takeRollback(world.reference(), { id: rollback.id, model, to: rollback.version, from }, world.now())
  return answer
}

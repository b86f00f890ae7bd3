/**
 * Makes the ledger follow the model registry: looks at every mapping now and then, and at one model at once where a
 * webhook hints at it; what is news goes through accept like any promotion. Harmless when two do it, or when one dies
 * in between: a version is noted only after it was accepted, and accept knows what it has.
 */
import type { Accept } from '../../shared/accept.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import type { Logger } from '../../shared/logger.ts'
import { MlflowFault } from '../../shared/mlflow.ts'
import { decide, type Seen } from './decide.ts'
import { type Mapping, mappingId } from './mapping.ts'
import type { Registry } from './mlflow-registry.ts'
import type { Hint, Notes } from './notes.ts'

export interface ReconcileDeps {
  registry: Registry
  notes: Notes
  reader: Pick<LedgerReader, 'target' | 'newestOf' | 'nowMs' | 'promotion'>
  accept: Accept
  mappings: readonly Mapping[]
  /** At the first look deploy what the registry says, too. */
  deployExisting: boolean
  /** Something was promoted: by what it was found. */
  observe(found: 'hint' | 'look'): void
  log: Logger
}

export interface Reconcile {
  /**
   * Looks at everything. @throws when the registry or Redis can't be reached, or the registry has answered with a fault;
   * what was done stands.
   */
  look(): Promise<void>
  /** Looks into what webhooks have hinted at. @throws as above */
  hear(): Promise<void>
}

/** Sent as `trigger_source`. */
const SOURCE = 'model_registry'

interface Asked extends Pick<Seen, 'points' | 'noted' | 'isBaseline' | 'setAfter' | 'wasTold'> {
  /** Before the registry was asked, ms since the epoch, Redis's clock. */
  askedAt: number
}

/** `overtaken`: while it was promoted something newer came in, or blocked it; it is to be decided again. */
type Followed = 'promoted' | 'nothing' | 'overtaken'

export function createReconcile(deps: ReconcileDeps): Reconcile {
  const { registry, notes, reader, accept, log } = deps
  /** Said once each: it stays so until a person does something. */
  const told = new Set<string>()

  /** @param asked what is known beside the ledger's own */
  async function follow(mapping: Mapping, model: string, asked: Asked): Promise<Followed> {
    const { environment } = mapping
    const { askedAt, ...seen } = asked
    const { points } = seen
    const of = { model, environment }
    const [target, newest] = await Promise.all([reader.target(of), reader.newestOf(of)])
    const isBlocked = target?.hold?.versions?.includes(points) ?? false
    const verdict = decide({ ...seen, newest, isBlocked, deployExisting: deps.deployExisting })
    const about = { mapping: mappingId(mapping), model, environment, version: points }
    switch (verdict.kind) {
      case 'same':
        return 'nothing'
      case 'note':
        await notes.note(mapping, model, points)
        return 'nothing'
      case 'blocked':
        tellOnce(about, 'The registry names a version that was rolled back from: it is held back')
        return 'nothing'
      case 'unclear':
        // Not to be asked again: nothing more will be known of it.
        await notes.note(mapping, model, points)
        log.warn(
          { ...about, newest: newest?.version },
          'The registry names an older version than was promoted last, and nobody knows which came later: nothing is sent',
        )
        return 'nothing'
      case 'promote':
        // What comes in from now on is not to be overtaken, nor what came in the same millisecond.
        return promote(mapping, model, points, {
          ...verdict,
          promotedAt: Math.max(askedAt - 1, newest?.acceptedAt ?? 0),
        })
      default:
        return verdict satisfies never
    }
  }

  async function promote(
    mapping: Mapping,
    model: string,
    version: string,
    { rollback, isLater, promotedAt }: { rollback: boolean; isLater: boolean; promotedAt: number },
  ): Promise<Followed> {
    const { environment } = mapping
    const about = { mapping: mappingId(mapping), model, environment, version }
    const accuracy = await registry.accuracyOf(model, version)
    const given = {
      ...{ model, version, environment, source: SOURCE, rollback },
      promotedAt: new Date(promotedAt).toISOString(),
      ...(accuracy === undefined ? {} : { accuracy }),
    }
    let result = await accept(given)
    if (result.status === 'duplicate' && (isLater || (await wasOvertaken(result.id))))
      result = await accept({ ...given, rollback: true })
    if (result.status === 'invalid') {
      tellOnce({ ...about, problems: result.problems }, 'The registry names what can not be promoted')
      return 'nothing'
    }
    if (result.status === 'accepted' && result.state !== 'accepted') return 'overtaken'
    await notes.note(mapping, model, version)
    if (result.status !== 'accepted') return 'nothing'
    log.info({ ...about, promotionId: result.id, rollback }, 'The model registry has promoted a version')
    return 'promoted'
  }

  /** Such a one has been seen, and has not had its turn. */
  async function wasOvertaken(id: string): Promise<boolean> {
    const former = await reader.promotion(id)
    return former?.source === SOURCE && former.state === 'superseded'
  }

  function tellOnce(about: object, what: string) {
    const line = JSON.stringify([about, what])
    if (told.has(line)) return
    told.add(line)
    log.warn(about, what)
  }

  return {
    look: () => oneByOne(deps.mappings, lookAt),

    async hear() {
      await oneByOne(await notes.hints(), async (hint) => {
        const mapping = deps.mappings.find((one) => mappingId(one) === hint.mapping)
        const done = mapping ? await lookInto(mapping, hint) : 'nothing'
        if (done === 'overtaken') return
        if (done === 'promoted') deps.observe('hint')
        await notes.dropHint(hint)
      })
    },
  }

  async function lookAt(mapping: Mapping): Promise<void> {
    const beganAt = await reader.nowMs()
    const [all, noted, lastLook] = await Promise.all([
      registry.all(mapping),
      notes.of(mapping),
      notes.lastLook(mapping),
    ])
    // Each tells the same until it changes: most of a look costs nothing.
    const changed = [...all].filter(([model, points]) => noted[model] !== points)
    await oneByOne(changed, async ([model, points]) => {
      const seen = { points, noted: noted[model], isBaseline: lastLook === undefined, wasTold: false }
      const done = await follow(mapping, model, { ...seen, setAfter: lastLook ?? 0, askedAt: beganAt })
      if (done === 'promoted') deps.observe('look')
    })
    await notes.looked(mapping, beganAt)
  }

  async function lookInto(mapping: Mapping, { model, version, at }: Hint): Promise<Followed> {
    const askedAt = await reader.nowMs()
    const [points, noted, lastLook] = await Promise.all([
      registry.pointsAt(mapping, model),
      notes.versionOf(mapping, model),
      notes.lastLook(mapping),
    ])
    // Moved again or taken away since: the registry's truth counts, and its next look or hint tells it.
    if (points === undefined) return 'nothing'
    const wasTold = points === version
    const setAfter = wasTold ? at : noted === points ? 0 : (lastLook ?? 0)
    const isBaseline = lastLook === undefined
    return follow(mapping, model, { points, noted, isBaseline, setAfter, wasTold, askedAt })
  }
}

/**
 * What MLflow answers with a fault keeps nothing behind it waiting: the first such fault is thrown at the end. Where
 * nobody answers, there is nothing to go on with.
 */
async function oneByOne<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  let first: MlflowFault | undefined
  for (const one of all) {
    await work(one).catch((error: unknown) => {
      if (!(error instanceof MlflowFault) || error.status === 0) throw error
      first ??= error
    })
  }
  if (first) throw first
}

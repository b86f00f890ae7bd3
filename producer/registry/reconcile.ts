/**
 * Makes the ledger follow the model registry: looks at every mapping now and then, and at one model at once where a
 * webhook hints at it; what is news goes through accept like any promotion. Harmless when two do it, or when one dies
 * in between: a version is noted only after it was accepted, and accept knows what it has.
 */
import type { Accept } from '../../shared/accept.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import type { Logger } from '../../shared/logger.ts'
import { decide, type Seen } from './decide.ts'
import { type Mapping, mappingId } from './mapping.ts'
import type { Registry } from './mlflow-registry.ts'
import type { Hint, Notes } from './notes.ts'

export interface ReconcileDeps {
  registry: Registry
  notes: Notes
  reader: Pick<LedgerReader, 'target' | 'newestOf' | 'nowMs'>
  accept: Accept
  mappings: readonly Mapping[]
  /** At the first look deploy what the registry says, too. */
  deployExisting: boolean
  /** Something was promoted: by what it was found. */
  observe(found: 'hint' | 'look'): void
  log: Logger
}

export interface Reconcile {
  /** Looks at everything. @throws when the registry or Redis can't be reached; what was done stands. */
  look(): Promise<void>
  /** Looks into what webhooks have hinted at. @throws as above */
  hear(): Promise<void>
}

/** Sent as `trigger_source`. */
const SOURCE = 'model_registry'

export function createReconcile(deps: ReconcileDeps): Reconcile {
  const { registry, notes, reader, accept, log } = deps
  /** Said once each: it stays so until a person does something. */
  const told = new Set<string>()

  /** @param seen what is known beside the ledger's own */
  async function follow(
    mapping: Mapping,
    model: string,
    seen: Pick<Seen, 'points' | 'noted' | 'isBaseline' | 'setAfter' | 'wasTold'>,
  ): Promise<'promoted' | 'nothing'> {
    const { environment } = mapping
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
        return promote(mapping, model, points, verdict.rollback)
      default:
        return verdict satisfies never
    }
  }

  async function promote(mapping: Mapping, model: string, version: string, rollback: boolean) {
    const { environment } = mapping
    const about = { mapping: mappingId(mapping), model, environment, version }
    const accuracy = await registry.accuracyOf(model, version)
    const result = await accept({
      ...{ model, version, environment, source: SOURCE, rollback },
      ...(accuracy === undefined ? {} : { accuracy }),
    })
    if (result.status === 'invalid') {
      tellOnce({ ...about, problems: result.problems }, 'The registry names what can not be promoted')
      return 'nothing'
    }
    await notes.note(mapping, model, version)
    if (result.status !== 'accepted' || result.state !== 'accepted') return 'nothing'
    log.info({ ...about, promotionId: result.id, rollback }, 'The model registry has promoted a version')
    return 'promoted'
  }

  function tellOnce(about: object, what: string) {
    const line = JSON.stringify([about, what])
    if (told.has(line)) return
    told.add(line)
    log.warn(about, what)
  }

  return {
    async look() {
      for (const mapping of deps.mappings) {
        const beganAt = await reader.nowMs()
        const [all, noted, lastLook] = await Promise.all([
          registry.all(mapping),
          notes.of(mapping),
          notes.lastLook(mapping),
        ])
        for (const [model, points] of all) {
          // Each tells the same until it changes: most of a look costs nothing.
          if (noted[model] === points) continue
          const seen = { points, noted: noted[model], isBaseline: lastLook === undefined, wasTold: false }
          const done = await follow(mapping, model, { ...seen, setAfter: lastLook ?? 0 })
          if (done === 'promoted') deps.observe('look')
        }
        await notes.looked(mapping, beganAt)
      }
    },

    async hear() {
      for (const hint of await notes.hints()) {
        const mapping = deps.mappings.find((one) => mappingId(one) === hint.mapping)
        if (mapping && (await lookInto(mapping, hint)) === 'promoted') deps.observe('hint')
        await notes.dropHint(hint)
      }
    },
  }

  async function lookInto(mapping: Mapping, { model, version, at }: Hint) {
    const [points, noted, lastLook] = await Promise.all([
      registry.pointsAt(mapping, model),
      notes.versionOf(mapping, model),
      notes.lastLook(mapping),
    ])
    // Moved again or taken away since: the registry's truth counts, and its next look or hint tells it.
    if (points === undefined) return 'nothing'
    const wasTold = points === version
    const setAfter = wasTold ? at : noted === points ? 0 : (lastLook ?? 0)
    return follow(mapping, model, { points, noted, isBaseline: lastLook === undefined, setAfter, wasTold })
  }
}

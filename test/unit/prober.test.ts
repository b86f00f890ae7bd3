// The prober: what it reads for each reason, what follows from the answer, and that it is asked once at a time.
import { describe, expect, test } from 'vitest'
import type { DueCircuit, Verdict } from '../../shared/ledger/circuits.ts'
import type { OpenCircuit } from '../../shared/ledger/read.ts'
import { silentLogger } from '../../shared/logger.ts'
import { createProber } from '../../worker/circuits/prober.ts'
import type { Usable } from '../../worker/github/client.ts'

interface Situation {
  reason?: string
  /** What GitHub says of the repository and the workflow. */
  usable?: Usable
  /** Its pause is not over, or somebody else has it. */
  taken?: boolean
  /** What the ledger makes of the verdict; as it was meant by default. */
  settled?: 'closed' | 'half_open' | 'open' | 'stale'
  scopes?: string[]
}

const SETTLED = { close: 'closed', half_open: 'half_open', still_open: 'open' } as const

function setup({ reason = 'credentials', usable = { ok: true }, taken, settled, scopes }: Situation = {}) {
  const done: string[] = []
  const verdicts: Verdict[] = []
  const prober = createProber({
    circuits: {
      async take(scope, { now = false } = {}): Promise<DueCircuit | undefined> {
        done.push(`take ${scope}${now ? ' now' : ''}`)
        return taken ? undefined : { scope, reason, detail: 'as it was', number: 3 }
      },
      async settle(_, verdict) {
        verdicts.push(verdict)
        return { kind: settled ?? SETTLED[verdict.kind] }
      },
    },
    openCircuits: async () =>
      (scopes ?? ['acme/models']).map(
        (scope): OpenCircuit => ({ scope, number: 3, reason, detail: '', sinceMs: 0, untilMs: 0 }),
      ),
    github: {
      async repositoryState({ owner, name }) {
        done.push(`read ${owner}/${name}`)
        return usable
      },
      async workflowState({ owner, name }, workflow) {
        done.push(`read ${owner}/${name}/${workflow}`)
        return usable
      },
    },
    repository: { owner: 'acme', name: 'models' },
    workflow: 'cd.yml',
    wakeWaiting: async (howMany) => {
      done.push(`wake ${howMany}`)
      return 1
    },
    removeEntry: async ({ scope, number }) => void done.push(`remove the entry of ${scope} ${number}`),
    log: silentLogger,
  })
  return { prober, done, verdicts }
}

const NOT_MENDED: Usable = { ok: false, detail: 'GitHub answered 401' }

describe('what is asked', () => {
  test.each([
    ['credentials', 'read acme/models'],
    ['repository_missing', 'read acme/models'],
    ['outage', 'read acme/models'],
    ['workflow_missing', 'read acme/models/cd.yml'],
    ['workflow_disabled', 'read acme/models/cd.yml'],
  ])('of %s: %s; mended, it closes, its entry goes, and all that wait are woken', async (reason, read) => {
    const { prober, done, verdicts } = setup({ reason })
    await prober.probeDue()
    expect(verdicts).toEqual([{ kind: 'close' }])
    expect(done).toEqual(['take acme/models', read, 'remove the entry of acme/models 3', 'wake all'])
  })

  test.each(['credentials', 'repository_missing', 'outage', 'workflow_missing', 'workflow_disabled'])(
    'of %s that is not mended: it stays open, with what GitHub says now, and nobody is woken',
    async (reason) => {
      const { prober, done, verdicts } = setup({ reason, usable: NOT_MENDED })
      await prober.probeDue()
      expect(verdicts).toEqual([{ kind: 'still_open', detail: 'GitHub answered 401' }])
      expect(done).toHaveLength(2)
    },
  )

  test.each(['permission', 'no_trigger', 'bad_ref', 'throttled', 'moved', 'refused'])(
    'of %s reading tells nothing: it is half-open, and one promotion goes as the probe',
    async (reason) => {
      const { prober, done, verdicts } = setup({ reason, usable: NOT_MENDED })
      await prober.probeDue()
      expect(verdicts).toEqual([{ kind: 'half_open' }])
      expect(done).toEqual(['take acme/models', 'wake one'])
    },
  )
})

test('a circuit whose pause is not over, or that somebody else probes, is left alone', async () => {
  const { prober, done, verdicts } = setup({ taken: true })
  await prober.probeDue()
  expect(done).toEqual(['take acme/models'])
  expect(verdicts).toEqual([])
})

test('each open circuit is looked at, of the repository and of the workflow', async () => {
  const { prober, done } = setup({ scopes: ['acme/models', 'acme/models/cd.yml'], usable: NOT_MENDED })
  await prober.probeDue()
  expect(done.filter((step) => step.startsWith('take'))).toEqual([
    'take acme/models',
    'take acme/models/cd.yml',
  ])
})

test.each(['stale', 'open'] as const)(
  'a verdict that comes too late (%s) wakes nobody and removes nothing',
  async (settled) => {
    const { prober, done } = setup({ settled })
    await prober.probeDue()
    expect(done).toEqual(['take acme/models', 'read acme/models'])
  },
)

describe('a person asks', () => {
  test('it is probed at once, whatever its pause', async () => {
    const { prober, done } = setup()
    expect(await prober.probeNow('acme/models')).toEqual({ mended: true, detail: '' })
    expect(done).toContain('take acme/models now')
    expect(done).toContain('wake all')
  })

  test('not mended, the answer says why', async () => {
    const { prober } = setup({ usable: NOT_MENDED })
    expect(await prober.probeNow('acme/models')).toEqual({ mended: false, detail: 'GitHub answered 401' })
  })

  test('a circuit that is closed already has nothing to mend', async () => {
    const { prober, verdicts } = setup({ taken: true })
    expect(await prober.probeNow('acme/models')).toEqual({ mended: true, detail: 'it is not open' })
    expect(verdicts).toEqual([])
  })
})

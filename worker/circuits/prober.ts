/**
 * The prober: asks GitHub, by reading only, whether what opened a circuit is mended. While it isn't, nothing is
 * sent. Where reading can't tell (a permission, a trigger, a ref), the circuit is set half-open: one promotion goes
 * as the probe. What closes wakes those that wait; an opening is one entry among the dead letters until then.
 */
import type { Circuits, DueCircuit, Verdict } from '../../shared/ledger/circuits.ts'
import type { OpenCircuit } from '../../shared/ledger/read.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Github, Repository } from '../github/client.ts'

export interface ProberDeps {
  circuits: Pick<Circuits, 'take' | 'settle'>
  openCircuits(): Promise<OpenCircuit[]>
  github: Pick<Github, 'repositoryState' | 'workflowState'>
  repository: Repository
  workflow: string
  /** Gives waiting promotions their turn: all, or the longest waiting one. */
  wakeWaiting(howMany: 'all' | 'one'): Promise<number>
  removeEntry(circuit: { scope: string; number: number }): Promise<void>
  log: Logger
}

export interface Prober {
  /** Looks at every circuit whose pause is over. */
  probeDue(): Promise<void>
  /** A person asks: looks at once. @returns whether it is closed or half-open now, and why not. */
  probeNow(scope: string): Promise<{ mended: boolean; detail: string }>
}

export function createProber(deps: ProberDeps): Prober {
  const { circuits, github, repository, workflow, log } = deps

  async function probe(circuit: DueCircuit): Promise<{ mended: boolean; detail: string }> {
    const verdict = await verdictOn(circuit)
    const settled = await circuits.settle(circuit, verdict)
    const detail = verdict.kind === 'still_open' ? verdict.detail : ''
    log.info(
      { scope: circuit.scope, reason: circuit.reason, detail, circuit: settled.kind },
      'A circuit was probed',
    )
    if (settled.kind === 'closed') await closed(circuit)
    if (settled.kind === 'half_open') await deps.wakeWaiting('one')
    return { mended: settled.kind !== 'open', detail }
  }

  async function closed(circuit: { scope: string; number: number }) {
    await deps.removeEntry(circuit)
    await deps.wakeWaiting('all')
  }

  async function verdictOn({ reason }: DueCircuit): Promise<Verdict> {
    switch (reason) {
      case 'credentials':
      case 'repository_missing':
      case 'outage': {
        const state = await github.repositoryState(repository)
        return state.ok ? { kind: 'close' } : { kind: 'still_open', detail: state.detail }
      }
      case 'workflow_missing':
      case 'workflow_disabled': {
        const state = await github.workflowState(repository, workflow)
        return state.ok ? { kind: 'close' } : { kind: 'still_open', detail: state.detail }
      }
      default:
        return { kind: 'half_open' }
    }
  }

  return {
    async probeDue() {
      for (const { scope } of await deps.openCircuits()) {
        const due = await circuits.take(scope)
        if (due) await probe(due)
      }
    },

    async probeNow(scope) {
      const circuit = await circuits.take(scope, { now: true })
      return circuit ? probe(circuit) : { mended: true, detail: 'it is not open' }
    },
  }
}

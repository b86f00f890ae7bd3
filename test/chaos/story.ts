// One promotion's story, for people: what the ledger and the simulator have on it.
import type { World } from './world.ts'

/** The ledger's timeline and the simulator's log of one promotion, in the order of time. */
export async function storyOf(
  { simulator }: World,
  id: string,
  timeline: () => Promise<{ at: number; [detail: string]: unknown }[]>,
): Promise<string[]> {
  const told = (await timeline()).map(({ at, ...entry }) => ({
    at,
    line: `ledger     ${JSON.stringify(entry)}`,
  }))
  const posts = simulator.dispatches().filter(({ body }) => JSON.stringify(body ?? '').includes(id))
  const seen = posts.map(({ at, status, fault, runId, headers }) => ({
    at,
    line: `simulator  POST from ${headers.host} → ${status} ${fault ?? ''} ${runId ? `run ${runId}` : ''}`,
  }))
  const runs = simulator.runs.filter(({ inputs }) => inputs.promotion_id === id)
  const made = runs.map((run) => ({ at: run.createdAt, line: `simulator  run ${run.id} is created` }))
  return [...told, ...seen, ...made]
    .sort((a, b) => a.at - b.at)
    .map(({ at, line }) => `${new Date(at).toISOString().slice(11, 23)}  ${line}`)
}

// A webhook on its way, and what others make of it.
import type { IncomingHttpHeaders } from 'node:http'

export interface Letter {
  headers: Record<string, string>
  body: string
  runId: number
  runAttempt: number
}

interface Payload {
  action: string
  workflow_run: {
    id: number
    run_attempt: number
    display_title: string
    status: string
    conclusion: string | null
    updated_at: string
  }
}

export const payloadOf = (body: string): Payload => JSON.parse(body) as Payload

export function letterFrom(headers: IncomingHttpHeaders, body: string): Letter {
  const { id, run_attempt } = payloadOf(body).workflow_run
  const kept = Object.entries(headers).filter(
    ([name]) => name === 'content-type' || name.startsWith('x-github-'),
  )
  return {
    headers: Object.fromEntries(kept) as Record<string, string>,
    body,
    runId: id,
    runAttempt: run_attempt,
  }
}

/** A success that nobody at GitHub has signed. */
export function forgedFrom(letter: Letter): Letter {
  return changed(letter, { status: 'completed', conclusion: 'success' })
}

/** Signed, and wrong: another's run has completed, or another promotion's run has. */
export function misledBy(letter: Letter, other: Letter, byRun: boolean): Letter {
  const { id, display_title } = payloadOf(other.body).workflow_run
  const end = { status: 'completed', conclusion: 'success' }
  return changed(letter, byRun ? { id, ...end } : { display_title, ...end })
}

function changed(letter: Letter, change: Partial<Payload['workflow_run']>): Letter {
  const payload = payloadOf(letter.body)
  const workflow_run = { ...payload.workflow_run, ...change }
  return { ...letter, body: JSON.stringify({ ...payload, action: 'completed', workflow_run }) }
}

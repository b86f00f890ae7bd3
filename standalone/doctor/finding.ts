/** What a check of the doctor's answers: one line for a person, one object for a program. */

/** `unknown`: it was not looked at since something before it failed, or only the deed itself can show it. */
export type Status = 'ok' | 'warning' | 'fault' | 'unknown'

export interface Finding {
  name: string
  status: Status
  detail: string
  /** What to do: a setting to change or a command to run. */
  mend?: string
}

export const ok = (name: string, detail: string): Finding => ({ name, status: 'ok', detail })

export const warning = (name: string, detail: string, mend: string): Finding => ({
  name,
  status: 'warning',
  detail,
  mend,
})

export const fault = (name: string, detail: string, mend: string): Finding => ({
  name,
  status: 'fault',
  detail,
  mend,
})

export const unknown = (name: string, detail: string): Finding => ({ name, status: 'unknown', detail })

export const notLookedAt = (why: string, ...names: string[]): Finding[] =>
  names.map((name) => unknown(name, `not looked at: ${why}`))

export function countOf(findings: readonly Finding[], status: Status): number {
  return findings.filter((one) => one.status === status).length
}

/** 90 s, 5 min, 3 h, 12 days. */
export function spanOf(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 120) return `${seconds} s`
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} days`
}

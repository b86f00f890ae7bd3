/** What a page is before the layout is put around it. */
import type { Html } from '../../../shared/html.ts'
import type { Person } from '../log-in/person.ts'

export interface Shown {
  title: string
  main: Html
  /** Which entry of the menu it is. */
  here?: string
  /** What was looked for. */
  query?: string
  /** What it shows, without what only time changes: where this changes, those who look at it are told. */
  data: unknown
}

export interface Viewer {
  person: Person
  /** Path and query: where an order leads back to. */
  path: string
}

export function mayOperate({ person }: Viewer): boolean {
  return person.role === 'operator'
}

// What a section of the bench is given and what it answers. Everything that is printed, as text, as JSON and in
// docs/PERFORMANCE.md, comes from these.

export interface Options {
  /** The smallest sizes that still show that the bench works; no figure of such a run means anything. */
  quick: boolean
  /** How often what is compared takes turns. */
  rounds: number
}

export interface Table {
  title: string
  columns: readonly string[]
  rows: readonly (readonly (string | number)[])[]
}

/** What is to be reached, and what was. */
export interface Target {
  what: string
  value: number
  unit: string
  /** One of the two. */
  atLeast?: number
  atMost?: number
}

export interface Result {
  /** Plain figures by a name that stays the same from run to run; their unit ends the name (`p99Ms`, `perSecond`). */
  figures: Readonly<Record<string, number>>
  tables: readonly Table[]
  targets: readonly Target[]
  /** What a reader of the tables has to know. */
  notes?: readonly string[]
}

export interface Section {
  /** As in `--only`. */
  name: string
  title: string
  run(options: Options): Promise<Result>
}

export function isMet({ value, atLeast = -Infinity, atMost = Infinity }: Target): boolean {
  return value >= atLeast && value <= atMost
}

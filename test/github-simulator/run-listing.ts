// Filters and pages of a listing of runs, as GitHub's: newest first, 30 on a page, 1,000 results at most.
// `created` is compared in whole seconds, since that is what GitHub keeps: a bound with milliseconds can miss a run
// of the same second.
import { ACTOR } from './account-object.ts'
import type { SimulatedRun } from './simulated-run.ts'

export interface Listing {
  totalCount: number
  runs: SimulatedRun[]
  page: number
  lastPage: number
}

const MAX_RESULTS = 1000

/** @returns null when `created` can't be read */
export function listRuns(runs: readonly SimulatedRun[], query: URLSearchParams): Listing | null {
  const created = createdFilter(query.get('created'))
  if (!created) return null
  const matching = runs
    .filter((run) => created(Math.floor(run.createdAt / 1000) * 1000))
    .filter((run) => matches(run, query))
    .sort((a, b) => b.id - a.id)
  const perPage = Math.min(positive(query.get('per_page')) ?? 30, 100)
  const page = positive(query.get('page')) ?? 1
  const reachable = matching.slice(0, MAX_RESULTS)
  return {
    totalCount: matching.length,
    runs: reachable.slice((page - 1) * perPage, page * perPage),
    page,
    lastPage: Math.max(1, Math.ceil(reachable.length / perPage)),
  }
}

/** The Link header, or '' when everything is on one page. */
export function pageLinks(url: string, query: URLSearchParams, { page, lastPage }: Listing): string {
  const link = (to: number, rel: string) => {
    const params = new URLSearchParams(query)
    params.set('page', String(to))
    return `<${url}?${params}>; rel="${rel}"`
  }
  const links: string[] = []
  if (page > 1) links.push(link(Math.min(page - 1, lastPage), 'prev'))
  if (page < lastPage) links.push(link(page + 1, 'next'), link(lastPage, 'last'))
  if (page > 1) links.push(link(1, 'first'))
  return links.join(', ')
}

function matches(run: SimulatedRun, query: URLSearchParams): boolean {
  const wanted: [string, (value: string) => boolean][] = [
    ['event', (value) => value === 'workflow_dispatch'],
    ['branch', (value) => value === run.ref],
    ['status', (value) => value === run.status || value === run.conclusion],
    ['head_sha', (value) => value === run.headSha],
    ['actor', (value) => value === ACTOR.login],
  ]
  return wanted.every(([name, agrees]) => {
    const value = query.get(name)
    return value === null || value === '' || agrees(value)
  })
}

type CreatedFilter = (createdAt: number) => boolean

function createdFilter(expression: string | null): CreatedFilter | null {
  if (!expression) return () => true
  if (expression.includes('..')) {
    const [from = '', to = ''] = expression.split('..')
    const first = from === '*' ? ALWAYS : moment(from)
    const last = to === '*' ? ALWAYS : moment(to)
    return first && last && ((at) => first.from <= at && at <= last.to)
  }
  const [, operator = '', value = ''] = /^([<>]=?)?(.*)$/.exec(expression) ?? []
  const span = moment(value)
  if (!span) return null
  if (operator === '>=') return (at) => at >= span.from
  if (operator === '>') return (at) => at > span.to
  if (operator === '<=') return (at) => at <= span.to
  if (operator === '<') return (at) => at < span.from
  return (at) => span.from <= at && at <= span.to
}

interface Span {
  from: number
  to: number
}

const ALWAYS: Span = { from: Number.NEGATIVE_INFINITY, to: Number.POSITIVE_INFINITY }
const DAY_MS = 86_400_000

/** A time is a moment; a date without a time is its whole day. A "+" of an offset arrives as a blank. */
function moment(text: string): Span | null {
  const from = Date.parse(text.replace(' ', '+'))
  if (Number.isNaN(from) || !/^\d{4}-\d\d-\d\d/.test(text)) return null
  return { from, to: text.length === 10 ? from + DAY_MS - 1 : from }
}

function positive(text: string | null): number | undefined {
  const value = Number(text)
  return Number.isInteger(value) && value > 0 ? value : undefined
}

/** Small parts that several pages are put together from. */
import { inWords } from '../../../shared/duration.ts'
import { type Html, html } from '../../../shared/html.ts'
import type { Hold, Promotion, State } from '../../../shared/ledger/promotion-record.ts'

/** How a thing is to be taken: in order, under way, to be watched, wrong, over and done. */
export type Tone = 'good' | 'busy' | 'warn' | 'bad' | 'quiet'

const TONES: Record<State, Tone> = {
  accepted: 'busy',
  dispatching: 'busy',
  dispatched: 'busy',
  unresolved: 'bad',
  dead_lettered: 'bad',
  deployed: 'good',
  failed: 'bad',
  cancelled: 'warn',
  timed_out: 'bad',
  superseded: 'quiet',
  skipped: 'quiet',
}

export function toneOf(state: State): Tone {
  return TONES[state]
}

export function pill(state: State): Html {
  return badge(state.replaceAll('_', ' '), toneOf(state))
}

export function badge(text: string, tone: Tone): Html {
  return html`<span class="badge ${tone}">${text}</span>`
}

/** Since then; the script of the page keeps it going. */
export function since(ms: number, nowMs: number): Html {
  return html`<time datetime="${iso(ms)}" title="${utc(ms)}" data-since>${inWords(nowMs - ms)}</time>`
}

export function ago(ms: number, nowMs: number): Html {
  return html`<span class="nobreak">${since(ms, nowMs)} ago</span>`
}

export function at(ms: number): Html {
  return html`<time datetime="${iso(ms)}">${utc(ms)}</time>`
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}

/** `2026-08-01 12:00:00 UTC` */
function utc(ms: number): string {
  return `${iso(ms).slice(0, 19).replace('T', ' ')} UTC`
}

export function promotionUrl(id: string): string {
  return `/promotions/${encodeURIComponent(id)}`
}

export function modelUrl({ model, environment }: { model: string; environment?: string }): string {
  const query = new URLSearchParams({ model, ...(environment === undefined ? {} : { environment }) })
  return `/models?${query}`
}

/** `fraud-detector`, with its environment where that is not production. */
export function targetLink(of: { model: string; environment: string }): Html {
  return html`<a href="${modelUrl(of)}">${of.model}</a>${inEnvironment(of)}`
}

export function inEnvironment({ environment }: { environment: string }): Html | false {
  return environment !== 'production' && html` <small>in ${environment}</small>`
}

export function versionLink({ id, version }: Pick<Promotion, 'id' | 'version'>): Html {
  return html`<a class="version" href="${promotionUrl(id)}">${version}</a>`
}

/** Whoever told the run's address is not trusted with more than one of the web. */
export function runLink({ runId, runUrl }: Pick<Promotion, 'runId' | 'runUrl'>): Html | false {
  if (runId === undefined) return false
  const isWeb = /^https?:$/.test(URL.parse(runUrl ?? '')?.protocol ?? '')
  return isWeb ? html`<a href="${runUrl}" rel="noreferrer">run ${runId}</a>` : html`run ${runId}`
}

export function holdWords(hold: Hold): string {
  const what = hold.kind === 'person' ? 'held' : `held back: ${hold.versions?.join(', ') ?? ''}`
  return `${what} by ${hold.by}${hold.why === undefined ? '' : `: ${hold.why}`}`
}

/** An order as a form that works without a script. It is shown to those who may give it. */
export function order(
  action: string,
  label: string,
  fields: Record<string, string | number>,
  more: { input?: Html; tone?: 'grave' | 'quiet' } = {},
): Html {
  return html`<form method="post" action="${action}">
${Object.entries(fields).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">`)}
${more.input}
<button${more.tone && html` class="${more.tone}"`}>${label}</button></form>`
}

/** One that is thought about first: behind a click, with a reason. */
export function thoughtful(
  key: string,
  action: string,
  label: string,
  fields: Record<string, string | number>,
  more: { input?: Html; tone?: 'grave' | 'quiet'; hint?: string | Html } = {},
): Html {
  const why = html`<label>Why <input name="why" maxlength="500" autocomplete="off"></label>`
  return html`<details class="order" id="${key}"><summary>${label}</summary><div>
${more.hint && html`<p>${more.hint}</p>`}
${order(action, label, fields, { ...more, input: html`${more.input}${why}` })}
</div></details>`
}

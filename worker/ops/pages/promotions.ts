/** Lists of promotions: all of them by filter, those of a model, and what was looked for. */

import type { Desk } from '../../../shared/desk.ts'
import { explain } from '../../../shared/explain.ts'
import { type Html, html } from '../../../shared/html.ts'
import type { Listing } from '../../../shared/ledger/listing.ts'
import { type Promotion, STATES, type State } from '../../../shared/ledger/promotion-record.ts'
import type { LedgerReader } from '../../../shared/ledger/read.ts'
import { namedIn, targetRow } from './board.ts'
import { ago, modelUrl, pill, promotionUrl, runLink, targetLink, versionLink } from './parts.ts'
import { placeFrom, placeText } from './place.ts'
import type { Shown, Viewer } from './shown.ts'

const SHOWN = 50

export interface PromotionsDeps {
  reader: Pick<LedgerReader, 'promotions' | 'nowMs'>
  listing: Pick<Listing, 'promotions' | 'targets'>
  desk: Pick<Desk, 'find'>
}

type Query = Record<string, unknown>

export async function promotionsPage({ reader, listing }: PromotionsDeps, query: Query): Promise<Shown> {
  const asked = filterFrom(query)
  const after = placeFrom(query.after)
  const [{ items, next }, nowMs] = await Promise.all([
    listing.promotions({ limit: SHOWN, ...asked, ...(after && { after }) }),
    reader.nowMs(),
  ])
  const main = html`<h1>Promotions</h1>
<form class="filter" method="get" action="/promotions">
<label>Model <input name="model" value="${asked.model}" maxlength="250"></label>
<label>Version <input name="version" value="${asked.version}" maxlength="100"></label>
<label>Environment <input name="environment" value="${asked.environment}" maxlength="100"></label>
<label>State <select name="state"><option value="">any</option>${STATES.map((state) => html`<option value="${state}"${state === asked.state && html` selected`}>${state.replaceAll('_', ' ')}</option>`)}</select></label>
<button class="quiet">Show</button></form>
<section class="card">${promotionTable(items, nowMs)}
${next && html`<p><a href="/promotions?${queryOf({ ...asked, after: placeText(next) })}">Older ones</a></p>`}</section>`
  return { title: 'Promotions', here: '/promotions', main, data: items }
}

function filterFrom(query: Query): { model?: string; version?: string; environment?: string; state?: State } {
  const word = (name: string) => {
    const value = query[name]
    return typeof value === 'string' && value !== '' ? { [name]: value.slice(0, 250) } : {}
  }
  const state = STATES.find((one) => one === query.state)
  return { ...word('model'), ...word('version'), ...word('environment'), ...(state && { state }) }
}

function queryOf(query: Record<string, string>): string {
  return new URLSearchParams(query).toString()
}

/** A model's targets, and its history over all of them or one. */
export async function modelPage(
  { reader, listing }: PromotionsDeps,
  viewer: Viewer,
  query: Query,
): Promise<Shown | undefined> {
  const { model, environment } = filterFrom(query)
  if (model === undefined) return undefined
  const after = placeFrom(query.after)
  const of = { model, ...(environment && { environment }) }
  const [targets, history, nowMs] = await Promise.all([
    listing.targets({ limit: SHOWN, model }),
    listing.promotions({ limit: SHOWN, ...of, ...(after && { after }) }),
    reader.nowMs(),
  ])
  if (targets.items.length === 0 && history.items.length === 0) return undefined
  const shown = targets.items.filter((one) => environment === undefined || one.environment === environment)
  const named = await namedIn(shown, reader)
  const main = html`<h1>${model}${environment && html` <small>in ${environment}</small>`}</h1>
<section class="card"><h2>Where it is</h2>
<table class="stacks"><thead><tr><th scope="col">Target</th><th scope="col">Live</th><th scope="col">In flight</th><th scope="col">Pending</th><th scope="col"><span class="hidden">Orders</span></th></tr></thead>
<tbody>${shown.map((target) => targetRow(target, named, nowMs, viewer))}</tbody></table>
${environment !== undefined && targets.items.length > 1 && html`<p><a href="${modelUrl({ model })}">All its environments</a></p>`}</section>
<section class="card"><h2>History</h2>${promotionTable(history.items, nowMs)}
${history.next && html`<p><a href="/models?${queryOf({ ...of, after: placeText(history.next) })}">Older ones</a></p>`}</section>`
  return { title: model, main, data: [shown, history.items, [...named.values()]] }
}

/** Where only one thing can be meant, its page is gone to. */
export async function searchPage(
  { reader, desk }: PromotionsDeps,
  query: Query,
): Promise<Shown | { goTo: string }> {
  const text = typeof query.q === 'string' ? query.q.trim().slice(0, 250) : ''
  const found = text === '' ? { promotions: [], targets: [] } : await desk.find(text)
  const { promotions, targets } = found
  const [only] = promotions
  if (only && promotions.length === 1 && targets.length === 0) return { goTo: promotionUrl(only.id) }
  const models = new Set(targets.map(({ model }) => model))
  if (models.size === 1 && promotions.every(({ model }) => models.has(model)) && targets[0])
    return { goTo: modelUrl({ model: targets[0].model }) }
  const nowMs = await reader.nowMs()
  const main = html`<h1>Search</h1>
${
  text === ''
    ? html`<p>Look for a model, a version, the id of a promotion or of a run.</p>`
    : promotions.length + targets.length === 0 &&
      html`<p>Nothing is known of <strong>${text}</strong>. Ids and names are looked for as they are; versions among the newest promotions.</p>`
}
${targets.length > 0 && html`<section class="card"><h2>Models</h2><ul>${[...models].map((model) => html`<li><a href="${modelUrl({ model })}">${model}</a></li>`)}</ul></section>`}
${promotions.length > 0 && html`<section class="card"><h2>Promotions</h2>${promotionTable(promotions, nowMs)}</section>`}`
  return { title: 'Search', main, query: text, data: found }
}

export function promotionTable(promotions: readonly Promotion[], nowMs: number): Html {
  if (promotions.length === 0) return html`<p>None here.</p>`
  return html`<table class="stacks"><thead><tr><th scope="col">Promotion</th><th scope="col">State</th><th scope="col">What it is at</th><th scope="col">Run</th><th scope="col">Accepted</th></tr></thead>
<tbody>${promotions.map(
    (
      one,
    ) => html`<tr><th scope="row">${targetLink(one)} ${versionLink(one)}</th><td data-name="State">${pill(one.state)}</td>
<td data-name="What it is at">${explain(one)}</td><td data-name="Run">${runLink(one)}</td><td data-name="Accepted">${ago(one.acceptedAt, nowMs)}</td></tr>`,
  )}</tbody></table>`
}

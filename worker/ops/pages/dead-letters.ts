/** The dead letters: what was wrong, and what can be done about it. */
import type { Desk } from '../../../shared/desk.ts'
import { type Html, html } from '../../../shared/html.ts'
import type { Promotion } from '../../../shared/ledger/promotion-record.ts'
import type { LedgerReader } from '../../../shared/ledger/read.ts'
import { circuitRow } from './circuits.ts'
import { ago, order, pill, runLink, targetLink, thoughtful, versionLink } from './parts.ts'
import { placeFrom, placeText } from './place.ts'
import { mayOperate, type Shown, type Viewer } from './shown.ts'

const SHOWN = 50

export interface DeadLettersDeps {
  reader: Pick<LedgerReader, 'nowMs'>
  desk: Pick<Desk, 'deadLetters' | 'circuits' | 'invalidJobs' | 'stats'>
}

export async function deadLetters(
  { reader, desk }: DeadLettersDeps,
  viewer: Viewer,
  query: Record<string, unknown>,
): Promise<Shown> {
  const model = wordIn(query.model)
  const reason = wordIn(query.reason)
  const after = placeFrom(query.after)
  const [letters, circuits, invalid, stats, nowMs] = await Promise.all([
    desk.deadLetters({
      limit: SHOWN,
      ...(after && { after }),
      ...(model && { model }),
      ...(reason && { reason }),
    }),
    desk.circuits(),
    desk.invalidJobs(SHOWN),
    desk.stats(),
    reader.nowMs(),
  ])
  const { dead_lettered, unresolved } = stats.states
  const main = html`<h1>Dead letters</h1>
<p>Promotions that cannot go on without a person: <strong>${dead_lettered}</strong> of which nothing was started, <strong>${unresolved}</strong> of which nobody knows whether a run exists.</p>
${circuits.map((circuit) => circuitRow(circuit, stats.states.accepted, nowMs, viewer))}
<form class="filter" method="get" action="/dead-letters">
<label>Model <input name="model" value="${model}" maxlength="250"></label>
<label>Reason has <input name="reason" value="${reason}" maxlength="200"></label>
<button class="quiet">Show</button></form>
<section class="card">
${
  letters.items.length > 0
    ? html`<ul class="rows">${letters.items.map((one) => deadLetterRow(one, nowMs, viewer))}</ul>`
    : html`<p>${model || reason || after ? 'None here.' : 'There are none.'}</p>`
}
${letters.next && html`<p><a href="${nextUrl({ model, reason, after: placeText(letters.next) })}">Older ones</a></p>`}
</section>
${
  invalid.length > 0 &&
  html`<section class="card"><header><h2>Jobs that are no promotions</h2><a href="/queues/queue/dead-letters?status=failed">in the Bull dashboard</a></header>
<p>Another BullMQ client put them into the queue. Correct it there; Retry in the Bull dashboard checks the data again.</p>
<ul class="rows">${invalid.map(({ id, reason: why, at }) => html`<li><div><code>${id}</code> <small>${ago(at, nowMs)}</small><div>${why}</div></div></li>`)}</ul></section>`
}`
  return {
    title: 'Dead letters',
    here: '/dead-letters',
    main,
    data: [letters, circuits, invalid, stats.states],
  }
}

function nextUrl(query: Record<string, string>): string {
  const given = Object.entries(query).filter(([, value]) => value !== '')
  return `/dead-letters?${new URLSearchParams(given)}`
}

function wordIn(text: unknown): string {
  return typeof text === 'string' ? text.slice(0, 250) : ''
}

export function deadLetterRow(one: Promotion, nowMs: number, viewer: Viewer): Html {
  return html`<li><div>
${targetLink(one)} ${versionLink(one)} ${pill(one.state)} <small>${ago(one.updatedAt, nowMs)}, ${one.attempts === 1 ? '1 attempt' : `${one.attempts} attempts`}</small>
<div>${one.reason}${one.runId !== undefined && html` (${runLink(one)})`}</div></div>
${letterOrders(one, viewer)}</li>`
}

/** What an operator can do with it. */
export function letterOrders(one: Promotion, viewer: Viewer): Html | false {
  if (!mayOperate(viewer)) return false
  const { id, deadLetters: deadLetter, state } = one
  const fields = { deadLetter, back: viewer.path }
  const path = `/promotions/${id}`
  if (state === 'unresolved') {
    const run = html`<label>Its run <input name="run" inputmode="numeric" pattern="[0-9]{1,20}" placeholder="run id; empty: there is none" autocomplete="off"></label>`
    const hint =
      'Look at the workflow runs. With the id of its run it is followed; left empty you say that there is none, and it is sent again.'
    return html`<div class="orders">
${thoughtful(`resolve-${id}`, `${path}/resolve`, 'Resolve', { back: viewer.path }, { input: run, hint })}
${order(`${path}/redrive`, 'Look again', fields, { tone: 'quiet' })}</div>`
  }
  if (state !== 'dead_lettered') return false
  return html`<div class="orders">
${order(`${path}/redrive`, 'Redrive', fields)}
${thoughtful(`discard-${id}`, `${path}/discard`, 'Discard', fields, { tone: 'grave', hint: 'It is not sent any more.' })}</div>`
}

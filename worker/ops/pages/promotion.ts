/** One promotion: what it is at, what it went through, what was sent and what GitHub answered. */

import { inWords } from '../../../shared/duration.ts'
import { explain, sentenceOf } from '../../../shared/explain.ts'
import { type Html, html } from '../../../shared/html.ts'
import type { Promotion, TimelineEntry } from '../../../shared/ledger/promotion-record.ts'
import type { LedgerReader } from '../../../shared/ledger/read.ts'
import type { Operate } from '../../../shared/operate.ts'
import { traceIdIn } from '../../../shared/trace-context.ts'
import { inputsFor } from '../../dispatch/inputs.ts'
import { waitWords } from './board.ts'
import { courseOf } from './course.ts'
import { coursePicture } from './course-picture.ts'
import { letterOrders } from './dead-letters.ts'
import { at, pill, promotionUrl, runLink, targetLink, toneOf } from './parts.ts'
import { mayOperate, type Shown, type Viewer } from './shown.ts'

export interface PromotionDeps {
  reader: Pick<LedgerReader, 'promotion' | 'timeline' | 'target' | 'nowMs'>
  operate: Pick<Operate, 'redrive'>
}

const ID = /^[0-9a-f-]{36}$/

/** @returns nothing where there is no such promotion */
export async function promotionPage(
  { reader, operate }: PromotionDeps,
  viewer: Viewer,
  asked: string,
): Promise<Shown | undefined> {
  const id = asked.toLowerCase()
  const one = ID.test(id) ? await reader.promotion(id) : undefined
  if (!one) return undefined
  const isLetter = one.state === 'dead_lettered' || one.state === 'unresolved'
  const [timeline, target, nowMs, preview] = await Promise.all([
    reader.timeline(id),
    reader.target(one),
    reader.nowMs(),
    isLetter && mayOperate(viewer)
      ? operate.redrive({ id, deadLetter: one.deadLetters, dryRun: true, by: viewer.person.name })
      : undefined,
  ])
  const ahead =
    one.state === 'accepted' && target?.inFlight ? await reader.promotion(target.inFlight) : undefined
  const main = html`<h1>${targetLink(one)} ${one.version} ${pill(one.state)}</h1>
<p class="note ${toneOf(one.state)}" id="state">${one.state === 'accepted' ? waitWords(one, ahead, nowMs) : explain(one)}${one.runId !== undefined && html` — ${runLink(one)}`}</p>
${isLetter && letterOrders(one, viewer)}
${preview?.kind === 'done' && html`<p class="dim">What a redrive would do: ${preview.text}.</p>`}
<section class="card" aria-labelledby="course-title"><h2 id="course-title">What it went through</h2>
${coursePicture(courseOf(timeline, one, nowMs))}
<ol class="timeline">${timeline.map(
    (entry, i) =>
      html`<li>${at(entry.at)} <small>${i > 0 && `+${inWords(entry.at - (timeline[0]?.at ?? entry.at))}`}</small> <span>${sentenceOf(entry)}</span></li>`,
  )}</ol></section>
<div class="halves">
<section class="card"><h2>What it is</h2><dl class="pairs">${factsOf(one).map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>
<div>${answersCard(timeline)}
<section class="card"><h2>Inputs of the workflow</h2><dl class="pairs mono">${Object.entries(inputsFor(one)).map(([name, value]) => html`<dt>${name}</dt><dd>${value === '' ? html`<span class="dim">empty</span>` : value}</dd>`)}</dl></section></div>
</div>`
  return { title: `${one.model} ${one.version}`, main, data: [one, timeline, ahead, preview] }
}

function factsOf(one: Promotion): [string, Html | string | number][] {
  const { accuracy, metrics, liveBefore, dispatchedAt, endedAt, scope } = one
  const link = (id: string) => html`<a href="${promotionUrl(id)}" class="mono">${id}</a>`
  const traceId = traceIdIn(one)
  const known: [string, Html | string | number | undefined][] = [
    ['Id', html`<code>${one.id}</code>`],
    ['Accepted', at(one.acceptedAt)],
    ['Dispatched', dispatchedAt === undefined ? undefined : at(dispatchedAt)],
    ['Ended', endedAt === undefined ? undefined : at(endedAt)],
    ['Source', one.source],
    ['Accuracy', accuracy],
    [
      'Figures',
      metrics &&
        Object.entries(metrics)
          .map(([name, value]) => `${name} ${value}`)
          .join(', '),
    ],
    ['Live before', liveBefore === '' ? 'nothing' : liveBefore],
    ['Place in its target', `no. ${one.seq}`],
    ['Attempts', one.attempts],
    ['Workflow', scope],
    ['Superseded by', one.supersededBy && link(one.supersededBy)],
    ['Rolls back', one.parent && link(one.parent)],
    ['Rolled back by', one.rolledBackBy && link(one.rolledBackBy)],
    ['Trace', traceId && html`<code>${traceId}</code>`],
  ]
  return known.flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]]))
}

function answersCard(timeline: readonly TimelineEntry[]): Html | false {
  const outcomes = timeline.filter(({ what }) => what === 'outcome')
  if (outcomes.length === 0) return false
  return html`<section class="card"><h2>What GitHub answered</h2>
<table class="stacks"><thead><tr><th scope="col">Attempt</th><th scope="col">Outcome</th><th scope="col">Status</th><th scope="col">Took</th><th scope="col">In words</th></tr></thead>
<tbody>${outcomes.map(
    (
      entry,
    ) => html`<tr><th scope="row">${String(entry.attempt)}</th><td data-name="Outcome">${String(entry.outcome)}</td>
<td data-name="Status">${entry.status ? String(entry.status) : 'no answer'}</td><td data-name="Took">${inWords(Number(entry.tookMs))}</td><td data-name="In words">${String(entry.detail)}</td></tr>`,
  )}</tbody></table></section>`
}

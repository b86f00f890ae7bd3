/** The board: what needs a person, how it goes, and each target with what is live, on its way and waiting. */
import type { Desk, Stats } from '../../../shared/desk.ts'
import { inWords } from '../../../shared/duration.ts'
import { explain } from '../../../shared/explain.ts'
import { type Html, html } from '../../../shared/html.ts'
import type { EndCount } from '../../../shared/ledger/ends.ts'
import type { Listing, Place } from '../../../shared/ledger/listing.ts'
import type { Promotion, Target } from '../../../shared/ledger/promotion-record.ts'
import type { LedgerReader, OpenCircuit } from '../../../shared/ledger/read.ts'
import { hourBars, timeDots } from './chart.ts'
import { circuitRow } from './circuits.ts'
import { deadLetterRow } from './dead-letters.ts'
import {
  ago,
  badge,
  holdWords,
  pill,
  promotionUrl,
  runLink,
  since,
  targetLink,
  versionLink,
} from './parts.ts'
import { placeFrom, placeText } from './place.ts'
import type { Shown, Viewer } from './shown.ts'
import { targetOrders } from './target-orders.ts'

export interface BoardDeps {
  reader: Pick<LedgerReader, 'promotions' | 'nowMs'>
  listing: Pick<Listing, 'targets'>
  desk: Pick<Desk, 'deadLetters' | 'circuits' | 'stats' | 'endsByHour' | 'latencies'>
}

const TARGETS_SHOWN = 50
const LETTERS_SHOWN = 5
const DOTS_SHOWN = 100

export async function board(deps: BoardDeps, viewer: Viewer, query: { after?: unknown }): Promise<Shown> {
  const { reader, listing, desk } = deps
  const after = placeFrom(query.after)
  const [targets, letters, circuits, stats, triggers, deployments, latencies, nowMs] = await Promise.all([
    listing.targets({ limit: TARGETS_SHOWN, ...(after && { after }) }),
    desk.deadLetters({ limit: LETTERS_SHOWN }),
    desk.circuits(),
    desk.stats(),
    desk.endsByHour('triggers', 24),
    desk.endsByHour('deployments', 24),
    desk.latencies(DOTS_SHOWN),
    reader.nowMs(),
  ])
  const named = await namedIn(targets.items, reader)
  const main = html`<h1 class="hidden">Board</h1>
${needs({ letters: letters.items, circuits, stats, nowMs, viewer })}
<div class="figures">
${ratioCard('Triggers taken by GitHub', stats.triggers['24h'], hourBars(triggers, 'Triggers by the hour, the last 24 hours'))}
${ratioCard('Deployments that succeeded', stats.deployments['24h'], hourBars(deployments, 'Deployments by the hour, the last 24 hours'))}
${latencyCard(stats, latencies)}
${nowCard(stats, nowMs)}
</div>
${targetsCard(targets, named, nowMs, viewer)}`
  return {
    title: 'Board',
    here: '/',
    main,
    data: [
      targets,
      letters,
      circuits,
      { ...stats, at: 0 },
      triggers,
      deployments,
      latencies,
      [...named.values()],
    ],
  }
}

interface Needs {
  letters: readonly Promotion[]
  circuits: readonly OpenCircuit[]
  stats: Stats
  nowMs: number
  viewer: Viewer
}

function needs({ letters, circuits, stats, nowMs, viewer }: Needs): Html {
  const count = stats.states.dead_lettered + stats.states.unresolved
  if (count === 0 && circuits.length === 0 && stats.workers > 0)
    return html`<p class="note good" id="needs">Nothing needs a person.</p>`
  return html`<section class="card" id="needs" aria-labelledby="needs-title">
<header><h2 id="needs-title">Needs a person</h2>${count > letters.length && html`<a href="/dead-letters">All ${count} dead letters</a>`}</header>
${stats.workers === 0 && html`<p class="note bad">No worker has been at work within the last minute: nothing is sent and no run is followed. Start one, or look at why none comes up.</p>`}
${circuits.map((circuit) => circuitRow(circuit, stats.states.accepted, nowMs, viewer))}
${letters.length > 0 && html`<ul class="rows">${letters.map((one) => deadLetterRow(one, nowMs, viewer))}</ul>`}
</section>`
}

function ratioCard(title: string, { good, bad }: EndCount, chart: Html): Html {
  const all = good + bad
  const share =
    all === 0 ? 'none' : `${(Math.floor((good / all) * 1000) / 10).toFixed(all === good ? 0 : 1)} %`
  return html`<section class="card figure"><h2>${title}</h2>
<p class="big">${share}</p>${chart}<p class="dim">${good} of ${all} in 24 hours</p></section>`
}

function latencyCard({ latency }: Stats, latencies: Awaited<ReturnType<Desk['latencies']>>): Html {
  const dots = latencies.map(({ id, model, version, toDispatchMs }) => ({
    ms: toDispatchMs,
    title: `${model} ${version}`,
    href: promotionUrl(id),
  }))
  const { toDispatch, toLive } = latency
  return html`<section class="card figure"><h2>From promotion to dispatch</h2>
<p class="big">${wordsOf(toDispatch.p50, 'none')}</p>
${timeDots(dots, 'Time to dispatch of the last promotions, the newest on the right')}
<p class="dim">median of ${toDispatch.of}; 99 %: ${wordsOf(toDispatch.p99, 'none')}; to live: ${wordsOf(toLive.p50, 'none')}</p></section>`
}

function wordsOf(ms: number | undefined, none: string): string {
  return ms === undefined ? none : inWords(ms)
}

function nowCard({ states, workers, oldestWaitingSince, holds }: Stats, nowMs: number): Html {
  const rows: [string, Html | string | number][] = [
    ['Waiting', states.accepted],
    ['Longest', oldestWaitingSince === undefined ? '—' : since(oldestWaitingSince, nowMs)],
    ['Being sent', states.dispatching],
    ['Runs under way', states.dispatched],
    ['Targets held', holds.person + holds.rollback],
    ['Workers', workers],
  ]
  return html`<section class="card figure"><h2>Now</h2>
<dl class="pairs">${rows.map(([name, value]) => html`<dt>${name}</dt><dd>${value}</dd>`)}</dl></section>`
}

function targetsCard(
  { items, next }: { items: readonly Target[]; next?: Place },
  named: ReadonlyMap<string, Promotion>,
  nowMs: number,
  viewer: Viewer,
): Html {
  if (items.length === 0)
    return html`<section class="card"><h2>Targets</h2><p>Nothing was promoted yet. From a pipeline, or a terminal:</p>
<p><code>npx promotion-relay promote --model fraud-detector --version 5</code></p></section>`
  return html`<section class="card" aria-labelledby="targets-title">
<header><h2 id="targets-title">Targets</h2><small>the one that was promoted to last first</small></header>
<table class="stacks"><thead><tr><th scope="col">Target</th><th scope="col">Live</th><th scope="col">In flight</th><th scope="col">Pending</th><th scope="col"><span class="hidden">Orders</span></th></tr></thead>
<tbody>${items.map((target) => targetRow(target, named, nowMs, viewer))}</tbody></table>
${next && html`<p><a href="/?after=${encodeURIComponent(placeText(next))}">Older targets</a></p>`}
</section>`
}

/** The promotions that a row of a target speaks of. */
export async function namedIn(
  targets: readonly Target[],
  reader: Pick<LedgerReader, 'promotions'>,
): Promise<ReadonlyMap<string, Promotion>> {
  const ids = targets.flatMap(({ inFlight, pending, newest }) => [inFlight, pending, newest])
  const promotions = await reader.promotions([...new Set(ids.filter((id) => id !== undefined))])
  return new Map(promotions.map((one) => [one.id, one]))
}

export function targetRow(
  target: Target,
  named: ReadonlyMap<string, Promotion>,
  nowMs: number,
  viewer: Viewer,
): Html {
  const { live, liveSince, drift, hold } = target
  const inFlight = named.get(target.inFlight ?? '')
  const pending = named.get(target.pending ?? '')
  const newest = named.get(target.newest ?? '')
  const isAside = newest && !inFlight && !pending && newest.version !== live
  return html`<tr>
<th scope="row">${targetLink(target)}${hold && html`<div>${badge(holdWords(hold), 'warn')} <small>${ago(hold.since, nowMs)}</small></div>`}</th>
<td data-name="Live">${live === undefined ? html`<span class="dim">nothing</span>` : html`<strong>${live}</strong> ${liveSince !== undefined && html`<small>${ago(liveSince, nowMs)}</small>`}`}
${drift && html`<div>${badge('drift', 'warn')} <small>run ${drift.runId} was started again: live in place of ${drift.instead}</small></div>`}</td>
<td data-name="In flight">${inFlight && html`${versionLink(inFlight)} ${pill(inFlight.state)} <div><small>${inFlightWords(inFlight, nowMs)}</small></div>`}${isAside && html`${versionLink(newest)} ${pill(newest.state)} <div><small>${ago(newest.updatedAt, nowMs)}</small></div>`}</td>
<td data-name="Pending">${pending && html`${versionLink(pending)} <div><small>${waitWords(pending, inFlight, nowMs)}</small></div>`}</td>
<td>${targetOrders(target, viewer)}</td>
</tr>`
}

function inFlightWords(one: Promotion, nowMs: number): Html {
  const begin = one.dispatchedAt ?? one.updatedAt
  return html`${runLink(one)} ${one.state === 'dispatched' ? (one.runStatus ?? '').replaceAll('_', ' ') : explain(one)}, since ${since(begin, nowMs)}`
}

/** Behind another one it is said how long that takes already. */
export function waitWords(one: Promotion, inFlight: Promotion | undefined, nowMs: number): Html {
  if (inFlight && one.wait?.code === 'in_flight')
    return html`waiting: ${inFlight.version} is being deployed since ${since(inFlight.dispatchedAt ?? inFlight.updatedAt, nowMs)}`
  return html`${explain(one)}, since ${since(one.acceptedAt, nowMs)}`
}

/** Who did what, and when. */
import { html } from '../../../shared/html.ts'
import type { Audit, Deed } from '../../../shared/ledger/audit.ts'
import { at, modelUrl, promotionUrl } from './parts.ts'
import type { Shown } from './shown.ts'

const SHOWN = 100

export async function auditPage(
  { audit }: { audit: Pick<Audit, 'newest'> },
  { before }: { before?: unknown },
): Promise<Shown> {
  const { deeds, next } = await audit.newest(SHOWN, typeof before === 'string' ? before : undefined)
  const main = html`<h1>Audit</h1>
<p>What people did by board, Bull dashboard, API and command line, the newest first. The newest 10,000 are kept.</p>
<section class="card">${
    deeds.length === 0
      ? html`<p>Nothing yet.</p>`
      : html`<table class="stacks"><thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">What</th><th scope="col">Of</th><th scope="col">Why</th><th scope="col">What came of it</th></tr></thead>
<tbody>${deeds.map(
          (deed) =>
            html`<tr><td data-name="When">${at(deed.at)}</td><th scope="row">${deed.who} <small>${deed.via}</small></th><td data-name="What">${deed.what}</td><td data-name="Of">${named(deed)}</td><td data-name="Why">${deed.why}</td><td data-name="What came of it">${deed.result}</td></tr>`,
        )}</tbody></table>`
  }
${next && html`<p><a href="/audit?before=${encodeURIComponent(next)}">Older ones</a></p>`}</section>`
  return { title: 'Audit', here: '/audit', main, data: deeds }
}

const OF_TARGETS = ['hold', 'release', 'rollback']

function named({ what, of }: Deed) {
  if (/^[0-9a-f-]{36}$/.test(of)) return html`<a href="${promotionUrl(of)}"><code>${of}</code></a>`
  const [environment = '', ...model] = of.split('/')
  return !OF_TARGETS.includes(what)
    ? of
    : html`<a href="${modelUrl({ model: model.join('/'), environment })}">${of}</a>`
}

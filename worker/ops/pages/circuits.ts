/** An open circuit: what is at fault, who waits, when it is looked at again. */

import { inWords } from '../../../shared/duration.ts'
import { type Html, html } from '../../../shared/html.ts'
import type { OpenCircuit } from '../../../shared/ledger/read.ts'
import { badge, order, since } from './parts.ts'
import { mayOperate, type Viewer } from './shown.ts'

export function circuitRow(
  { scope, reason, detail, sinceMs, untilMs, halfOpen }: OpenCircuit,
  waiting: number,
  nowMs: number,
  viewer: Viewer,
): Html {
  const next = halfOpen
    ? 'the next promotion goes as the probe'
    : `looked at again ${untilMs > nowMs ? `in ${inWords(untilMs - nowMs)}` : 'now'}`
  return html`<div class="note bad circuit">
<div>${badge('circuit open', 'bad')} <strong>${scope}</strong>: ${reason.replaceAll('_', ' ')} <small>since ${since(sinceMs, nowMs)}</small>
<div>${detail}</div><div><small>${waiting === 1 ? '1 promotion waits' : `${waiting} promotions wait`}, and flow again by themselves once it is mended; ${next}</small></div></div>
${mayOperate(viewer) && order('/circuits/probe', 'Look now', { scope, back: viewer.path }, { tone: 'quiet' })}
</div>`
}

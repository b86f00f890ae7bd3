/** What an operator can do to a target. */
import { type Html, html } from '../../../shared/html.ts'
import type { Target } from '../../../shared/ledger/promotion-record.ts'
import { thoughtful } from './parts.ts'
import { mayOperate, type Viewer } from './shown.ts'

export function targetOrders(target: Target, viewer: Viewer): Html | false {
  if (!mayOperate(viewer)) return false
  const { model, environment, hold, previous } = target
  const fields = { model, environment, back: viewer.path }
  const name = (order: string) => `${order}-${environment}-${model}`
  const to = html`<label>To version <input name="to" maxlength="100" placeholder="${previous ?? 'version'}" autocomplete="off"></label>`
  const hint =
    previous === undefined
      ? 'No other version was live before: say which one.'
      : `Left empty, it is ${previous}.`
  return html`<div class="orders">
${hold?.kind === 'person' || hold ? thoughtful(name('release'), '/targets/release', 'Release', fields, { hint: 'What waits goes then.' }) : ''}
${hold?.kind !== 'person' && thoughtful(name('hold'), '/targets/hold', 'Hold', fields, { hint: 'What comes is accepted and waits; what is in flight goes on.' })}
${thoughtful(name('rollback'), '/targets/rollback', 'Roll back', fields, { input: to, tone: 'grave', hint })}
</div>`
}

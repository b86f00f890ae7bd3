/** A chat's incoming webhook, as Slack has them (Mattermost, Rocket.Chat, Google Chat by an adapter): one readable message. */
import type { State } from '../../shared/ledger/promotion-record.ts'
import type { Secret } from '../../shared/secret.ts'
import { NEXT } from '../dead-letters/dead-letters.ts'
import type { News } from './news.ts'
import { type Post, type Reply, toldFrom } from './post.ts'
import type { Sink } from './sink.ts'

export interface ChatDeps {
  url: Secret
  publicOnly: boolean
  withinMs: number
  post(call: Post): Promise<Reply>
}

/** A channel is for what people act on: no dispatches, and nothing of those that gave way. */
const TOLD: readonly State[] = ['deployed', 'failed', 'cancelled', 'timed_out', 'dead_lettered', 'unresolved']

export function createChat({ url, publicOnly, withinMs, post }: ChatDeps): Sink {
  return {
    name: 'chat',
    wants: ({ state }) => TOLD.includes(state),
    address: () => url.read(),
    async tell(news, signal) {
      const headers = { 'content-type': 'application/json' }
      const body = bodyFor(news)
      return toldFrom(await post({ url: url.read(), headers, body, withinMs, signal, publicOnly }))
    },
  }
}

export function bodyFor(news: News): string {
  const { state, reason, simulated } = news
  const what = `${simulated ? 'SIMULATED: ' : ''}${MARKS[state] ?? ''} ${headline(news)}`.trim()
  const next = nextFor(news)
  const lines = [
    what,
    ...(state === 'deployed' ? [] : [plain(reason)]),
    [linkToRun(news), ...times(news)].filter(Boolean).join(' · '),
    ...(next ? [`Next: ${plain(next)}`] : []),
  ]
  return JSON.stringify({ text: lines.filter(Boolean).join('\n') })
}

const MARKS: Partial<Record<State, string>> = {
  deployed: ':white_check_mark:',
  failed: ':x:',
  timed_out: ':x:',
  cancelled: ':warning:',
  dead_lettered: ':rotating_light:',
  unresolved: ':rotating_light:',
}

function headline(news: News): string {
  const { model, version, environment, parent, replaced, rolledBackBy, supersededBy } = news
  const which = `${code(model)} version ${code(version)}`
  const where = code(environment)
  const back = rolledBackBy ? `: version ${code(rolledBackBy.version)} is put back` : ''
  switch (news.state) {
    case 'deployed':
      if (parent) return `${which} is live again in ${where}, after version ${code(parent.version)} failed`
      if (replaced === undefined || replaced === version) return `${which} is live in ${where}`
      return `${which} is live in ${where}, in place of version ${code(replaced)}`
    case 'failed':
      return `${which} failed in ${where}${back}`
    case 'timed_out':
      return `${which} took too long in ${where}, and was cancelled${back}`
    case 'cancelled':
      return `The deployment of ${which} in ${where} was cancelled${back}`
    case 'superseded':
      return `${which} gave way in ${where}${supersededBy ? ` to version ${code(supersededBy.version)}` : ''}`
    case 'skipped':
      return `${which} was skipped in ${where}`
    case 'dead_lettered':
      return `${which} can not be deployed to ${where}: a person is needed`
    case 'unresolved':
      return `Nobody knows whether the deployment of ${which} in ${where} was started: a person is needed`
    case 'accepted':
    case 'dispatching':
    case 'dispatched':
      return `${which} is on its way to ${where}`
    default:
      return news.state satisfies never
  }
}

function nextFor({ state, promotionId, rolledBackBy, parent }: News): string | undefined {
  if (parent && state !== 'deployed')
    return 'look at the run: what was to be put back is not known to be live. Promote a version that works.'
  switch (state) {
    case 'failed':
    case 'timed_out':
      return rolledBackBy
        ? 'look at the run. This version is held back: promote a new one, or release the target.'
        : 'look at the run; mend it and promote the version again, or promote a new one.'
    case 'cancelled':
      return 'ask who cancelled it; promote the version again if it is to be live.'
    case 'dead_lettered':
      return `its entry is at /queues, dead-letters, Failed. ${NEXT.dead_lettered}`
    case 'unresolved':
      return `its entry is at /queues, dead-letters, Failed. ${NEXT.unresolved.replace(/\bID\b/, promotionId)}`
    default:
      return undefined
  }
}

function linkToRun({ run }: News): string {
  if (!run) return ''
  if (!run.url) return `Run ${plain(run.id)}`
  const address = run.url.replace(/[<>|\s]/g, encodeURIComponent).replaceAll('&', '&amp;')
  return `<${address}|Run ${plain(run.id)}>`
}

function times({ at, acceptedAt, dispatchedAt }: News): string[] {
  const sent =
    dispatchedAt === undefined || dispatchedAt > at ? '' : `, ${lasting(at - dispatchedAt)} after it was sent`
  return [`${lasting(at - acceptedAt)} after it was accepted${sent}`]
}

/** `45 s`, `3 min 20 s`, `2 h 5 min` */
export function lasting(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)]
  if (hours > 0) return `${hours} h ${minutes % 60} min`
  return minutes > 0 ? `${minutes} min ${seconds % 60} s` : `${seconds} s`
}

/** Text from outside: no markup, and nobody is called by it (`<!channel>`, `@all`). */
function plain(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replace(/@(?=\w)/g, '@\u200b')
}

function code(text: string): string {
  return `\`${plain(text).replaceAll('`', "'")}\``
}

/**
 * The course of a promotion as stretches of time, made of its timeline: what it waited for, each attempt, its run.
 * Pure: the picture of it is drawn elsewhere.
 */
import { sentenceOf } from '../../../shared/explain.ts'
import type { Promotion, TimelineEntry } from '../../../shared/ledger/promotion-record.ts'
import { STOPPED } from '../../../shared/ledger/promotion-record.ts'
import type { Tone } from './parts.ts'

export type Lane = 'waiting' | 'attempts' | 'run'

export interface Stretch {
  lane: Lane
  /** ms since the epoch. */
  from: number
  to: number
  label: string
  tone: Tone
  /** It goes on. */
  open?: boolean
}

/** What is no new step of the promotion itself. */
const ASIDE = ['held', 'released', 'resolved', 'rolled_back', 'found', 'rerun']

export function courseOf(
  timeline: readonly TimelineEntry[],
  { state }: Pick<Promotion, 'state'>,
  nowMs: number,
): Stretch[] {
  const course: Stretch[] = []
  let open: Stretch | undefined

  function close(at: number) {
    if (open) course.push({ ...open, to: at })
    open = undefined
  }
  function begin(lane: Lane, from: number, label: string, tone: Tone) {
    close(from)
    open = { lane, from, to: from, label, tone }
  }

  for (const entry of timeline) {
    const { at, what } = entry
    if (ASIDE.includes(what)) continue
    switch (what) {
      case 'accepted':
        begin('waiting', at, 'in the queue', 'quiet')
        break
      case 'redriven':
        begin('waiting', at, sentenceOf(entry), 'quiet')
        break
      case 'absent':
        begin('waiting', at, 'nothing was started: to be tried again', 'warn')
        break
      case 'waiting':
        begin('waiting', at, sentenceOf(entry), entry.code === 'circuit' ? 'bad' : 'warn')
        break
      case 'in_doubt':
        begin('waiting', at, sentenceOf(entry), 'bad')
        break
      case 'dispatching':
        begin('attempts', at, `attempt ${entry.attempt}`, 'busy')
        break
      case 'outcome': {
        const attempt = open?.lane === 'attempts' ? open : undefined
        const took = Number(entry.tookMs)
        const from = attempt?.from ?? (Number.isFinite(took) ? at - took : at)
        if (!attempt) close(from)
        open = undefined
        course.push({
          lane: 'attempts',
          from,
          to: at,
          label: sentenceOf(entry),
          tone: isTaken(entry) ? 'good' : 'bad',
        })
        begin('waiting', at, 'to be tried again', 'warn')
        break
      }
      case 'dispatched':
        begin('run', at, 'its run is queued', 'quiet')
        break
      case 'run':
        // Its end, with how it ended, is the next entry.
        if (entry.status === 'completed') break
        begin('run', at, sentenceOf(entry), entry.status === 'in_progress' ? 'busy' : 'warn')
        break
      case 'dead_lettered':
      case 'unresolved':
        begin('waiting', at, `waits for a person: ${sentenceOf(entry)}`, 'bad')
        break
      case 'deployed':
        endRun(at, sentenceOf(entry), 'good')
        break
      case 'failed':
      case 'cancelled':
      case 'timed_out':
        endRun(at, sentenceOf(entry), 'bad')
        break
      default:
        close(at)
    }
  }
  const isOver = STOPPED.includes(state) && state !== 'dead_lettered' && state !== 'unresolved'
  if (open && !isOver) course.push({ ...open, to: nowMs, open: true })
  return course.filter(({ from, to, open: goesOn }) => to > from || goesOn)

  /** How it ended is told by the colour of the whole stretch. */
  function endRun(at: number, label: string, tone: Tone) {
    if (open?.lane === 'run') open = { ...open, label, tone }
    close(at)
  }
}

function isTaken({ outcome }: TimelineEntry): boolean {
  return outcome === 'dispatched'
}

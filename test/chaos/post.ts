// The post between GitHub and the relay's server. It loses webhooks, brings them twice, late and again after the end,
// and puts some that are made up among them; for a while it brings none. Whatever it brings is answered as it must be,
// or that is told.
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { signatureOf } from '../github-simulator/webhook-post.ts'
import type { DeliveryFault, FaultKind, Tally } from './faults.ts'
import { forgedFrom, type Letter, letterFrom, misledBy } from './letters.ts'
import type { Random } from './random.ts'
import { dealDeliveries } from './schedule.ts'
import type { Timing } from './timing.ts'

export const WEBHOOK_SECRET = 'chaos-webhook-secret'
const SOMEBODY_ELSES = 'somebody-elses-secret'

/** Late within this part of the longest run, or again within as many of them. */
const LATE = 1
const AGAIN = 4
/** So many letters are kept to take other runs' numbers and titles from. */
const KEPT = 50

export type Post = Awaited<ReturnType<typeof openPost>>

export async function openPost({ tally, random, timing }: { tally: Tally; random: Random; timing: Timing }) {
  const deal = dealDeliveries(random.fork('deal'))
  const troubles: string[] = []
  /** Letters that tell of a run's later attempts: nobody else finds their ends. */
  const ofLaterAttempts: Letter[] = []
  const lately: Letter[] = []
  const underWay = new Set<Promise<unknown>>()
  let address = ''
  let isOn = true
  let isShut = false
  let away: { kind: FaultKind; until?: number } | undefined
  let isClosed = false

  async function bring(letter: Letter, signedWith = WEBHOOK_SECRET) {
    const isTrue = signedWith === WEBHOOK_SECRET
    try {
      const { status } = await fetch(`${address}/v1/webhooks/github`, {
        method: 'POST',
        headers: { ...letter.headers, 'x-hub-signature-256': signatureOf(letter.body, signedWith) },
        body: letter.body,
        signal: AbortSignal.timeout(5_000),
      })
      // Without Redis nothing can be kept.
      if (status === 503 && isTrue) return
      if (status !== (isTrue ? 202 : 401))
        troubles.push(
          `a webhook (${isTrue ? 'signed' : 'forged'}) of run ${letter.runId} was answered ${status}`,
        )
    } catch {
      // The server is away: GitHub does not send again.
    }
  }

  function struck(kind: DeliveryFault, ...ways: Promise<unknown>[]) {
    tally.struck(kind)
    return Promise.all(ways)
  }

  async function later(letter: Letter, withinRuns: number) {
    await pause(random.between(0, timing.runMs[1] * withinRuns))
    if (!isClosed) await bring(letter)
  }

  async function deliver(letter: Letter) {
    if (isShut || isAway()) return
    const other = random.pick([letter, ...lately])
    switch (isOn ? deal.next().value : undefined) {
      case 'webhook-lost':
        return struck('webhook-lost')
      case 'webhook-late':
        return struck('webhook-late', later(letter, LATE))
      case 'webhook-doubled':
        return struck('webhook-doubled', bring(letter), bring(letter))
      case 'webhook-replayed':
        return struck('webhook-replayed', bring(letter), later(letter, AGAIN))
      case 'webhook-forged':
        return struck('webhook-forged', bring(forgedFrom(letter), SOMEBODY_ELSES), bring(letter))
      case 'webhook-misled':
        return struck('webhook-misled', bring(misledBy(letter, other, random.chance(0.5))), bring(letter))
      default:
        return bring(letter)
    }
  }

  /** From the first letter that it would have brought. */
  function isAway(): boolean {
    if (!away || !isOn) return false
    if (away.until === undefined) {
      away.until = Date.now() + timing.awayMs
      tally.struck(away.kind)
    }
    if (Date.now() < away.until) return true
    away = undefined
    return false
  }

  function track(one: Promise<unknown>) {
    underWay.add(one)
    void one.finally(() => underWay.delete(one))
  }

  const server = createServer(async (request, response) => {
    const letter = letterFrom(request.headers, await bodyOf(request))
    response.writeHead(202).end()
    if (letter.runAttempt > 1) ofLaterAttempts.push(letter)
    lately.push(letter)
    lately.splice(0, lately.length - KEPT)
    track(deliver(letter))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    /** What was answered otherwise than it must be. */
    troubles,
    /** The server is there. */
    serverAt: (url: string) => {
      address = url
    },
    /** Brings nothing until it is opened again: runs are followed by the poll alone. */
    shut: (shut: boolean) => {
      isShut = shut
    },
    away: (kind: FaultKind) => {
      away = { kind }
    },
    end: () => {
      isOn = false
      isShut = false
    },
    /** As a person does at GitHub: what tells of later attempts is delivered again. */
    async redeliver() {
      await Promise.all(ofLaterAttempts.map((letter) => bring(letter)))
    },
    async close() {
      isClosed = true
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      await Promise.all(underWay)
    },
  }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}

import { createAccept } from '../../../shared/accept.ts'
import { silentLogger } from '../../../shared/logger.ts'
import { addPromotedJob, removePromotedJob } from '../../../shared/queues.ts'
import { createSweep } from '../../../worker/sweep.ts'
import type { Ground } from './ground.ts'
import { claim, finish, tellTaken } from './stories.ts'

export interface Operation {
  /** As in the table, and the beginning of its figures' names. */
  name: string
  figure: string
  /** So often a round; 10 where nothing is said. */
  times?: number
  /** Not at the smallest size, where there is less than a page. */
  fullPages?: true
  /** Its figure is a target: no more than half as much again. */
  isTarget?: true
  /** Done before the clock starts. */
  before?(ground: Ground): Promise<void>
  run(ground: Ground, n: number): Promise<void>
}

/** How many rows a small page has: as many as are there at the smallest size. */
const FEW = 2

export const READS: readonly Operation[] = [
  lists('list', '/v1/promotions', 'promotions', { isTarget: true }),
  lists('listOfModel', '/v1/promotions', 'promotions', {
    by: 'of a model',
    filter: ({ filled }, n) => `model=${filled.modelOf(n)}`,
  }),
  lists('listOfState', '/v1/promotions', 'promotions', { by: 'of a state', filter: () => 'state=deployed' }),
  lists('listLaterPage', '/v1/promotions', 'promotions', { later: true }),
  lists('listFullPage', '/v1/promotions', 'promotions', { rows: 100, fullPages: true }),
  lists('listFullPageOfState', '/v1/promotions', 'promotions', {
    by: 'of a state',
    rows: 100,
    fullPages: true,
    filter: () => 'state=deployed',
  }),
  lists('targets', '/v1/targets', 'targets', { rows: 1, isTarget: true }),
  lists('targetsOfModel', '/v1/targets', 'targets', {
    by: 'of a model',
    rows: 1,
    filter: ({ filled }) => `model=${filled.modelOf(1)}`,
  }),
  lists('targetsLaterPage', '/v1/targets', 'targets', { rows: 1, later: true }),
  lists('targetsFullPage', '/v1/targets', 'targets', { rows: 100, fullPages: true }),
  lists('letters', '/v1/dead-letters', 'deadLetters', { rows: 1, isTarget: true }),
  lists('lettersByReason', '/v1/dead-letters', 'deadLetters', {
    by: 'by reason',
    rows: 1,
    filter: () => 'reason=Too%20Large',
  }),
  lists('lettersFullPage', '/v1/dead-letters', 'deadLetters', { rows: 100, fullPages: true }),
  reads('stats', 'GET /v1/stats', () => '/v1/stats', /"deadLetters"/),
  reads('board', 'the board', () => '/', /Needs a person/, { isTarget: true }),
  reads(
    'promotionPage',
    "a promotion's page",
    ({ filled }) => `/promotions/${filled.ended}`,
    /What it went through/,
  ),
  reads(
    'letterPage',
    "a dead letter's page",
    ({ filled }) => `/promotions/${filled.dead}`,
    /inputs are too large/,
  ),
  reads('lettersPage', 'the page of dead letters', () => '/dead-letters', /inputs are too large/),
  reads('modelPage', "a model's page", ({ filled }, n) => `/models?model=${filled.modelOf(n)}`, /History/),
  reads('promotionsPage', 'the page of promotions', () => '/promotions', /deployed/),
  reads(
    'promotionsPageOfState',
    'the page of promotions: of a state',
    () => '/promotions?state=deployed',
    /deployed/,
  ),
  reads(
    'lettersPageByReason',
    'the page of dead letters: by reason',
    () => '/dead-letters?reason=large',
    /too large/,
  ),
  reads(
    'lettersPageOfModel',
    'the page of dead letters: of a model',
    ({ filled }) => `/dead-letters?model=${filled.letterModelOf(1)}`,
    /too large/,
  ),
  reads('auditPage', 'the page of the audit', () => '/audit', /What people did/),
  reads('searchModel', 'search: a model', ({ filled }) => `/search?q=${filled.modelOf(1)}`, /./, {
    mayRedirect: true,
  }),
  reads(
    'searchNothing',
    'search: what is not there',
    () => '/search?q=nothing-of-that-name',
    /Nothing is known/,
  ),
  reads('scrape', 'a scrape of the server', () => '/metrics', /promotion_relay_dead_letters [1-9]/, {
    isTarget: true,
  }),
  {
    name: 'a scrape of a worker',
    figure: 'workerScrape',
    run: async ({ read }) => mustMatch(await read('/metrics', 'worker'), /promotion_relay_/),
  },
]

/** The place of each promotion that is on its way through the three. */
const underWay = new WeakMap<Ground, { id: string; run: string }>()

/** One after another: what one leaves the next takes up. A round takes so many promotions to their end. */
export const WRITES: readonly Operation[] = [
  {
    name: 'accept: ledger and job',
    figure: 'accept',
    isTarget: true,
    async run(ground, n) {
      const { ledger, queues, filled } = ground
      const accept = createAccept({
        ledger,
        log: silentLogger,
        enqueue: (one, job) => addPromotedJob(queues.promotions, one, job),
        withdraw: (id, job) => removePromotedJob(queues.promotions, id, job),
      })
      const version = `next-${n}`
      const accepted = await accept(
        { model: filled.modelOf(n), version, accuracy: 0.9 },
        { idempotencyKey: version },
      )
      if (accepted.status !== 'accepted') throw new Error(`${version} is ${accepted.status}`)
      underWay.set(ground, { id: accepted.id, run: `77${n}` })
    },
  },
  {
    name: 'claim',
    figure: 'claim',
    isTarget: true,
    async run(ground) {
      const kind = await claim(ground.ledger, promotionOf(ground).id)
      if (kind !== 'go') throw new Error(`the claim says ${kind}`)
    },
  },
  {
    name: 'outcome and finish',
    figure: 'finish',
    isTarget: true,
    async run(ground) {
      const { id, run } = promotionOf(ground)
      const about = { runId: run, runUrl: `https://ci.test/runs/${run}` }
      await tellTaken(ground.ledger, id, about)
      await finish(ground.ledger, { id, ...about, state: 'deployed', conclusion: 'success' })
    },
  },
]

export const UPKEEP: readonly Operation[] = [
  {
    name: 'a sweep',
    figure: 'sweep',
    times: 1,
    async run({ ledger, reader, queues }) {
      const unwanted = async () => {
        throw new Error('the sweep mends what is whole')
      }
      const steps = {
        wake: unwanted,
        follow: unwanted,
        bury: unwanted,
        buryCircuit: unwanted,
        refreshCircuit: unwanted,
      }
      const swept = await createSweep({ ledger, reader, queues, ...steps, log: silentLogger, settleMs: 0 })()
      if (Object.values(swept).some((count) => count > 0)) throw new Error(`swept: ${JSON.stringify(swept)}`)
    },
  },
  {
    name: 'trim: nothing is old',
    figure: 'trimNothing',
    async run({ ledger }) {
      const { trimmed } = await ledger.trim(90 * 24 * 3_600_000)
      if (trimmed > 0) throw new Error('what is not old is forgotten')
    },
  },
]

/** Takes away what was copied first: after all else. */
export const FORGETTING: readonly Operation[] = [
  {
    name: 'trim: as many as at once',
    figure: 'trim',
    times: 1,
    fullPages: true,
    async run({ ledger, redis, reader }) {
      const oldest = await redis.zrange('{relay:0}:ended', 300, '300', 'WITHSCORES')
      const { trimmed, kept } = await ledger.trim((await reader.nowMs()) - Number(oldest[1]))
      if (trimmed === 0) throw new Error(`nothing is forgotten, ${kept} are kept`)
    },
  },
]

interface Lists {
  rows?: number
  later?: boolean
  fullPages?: true
  isTarget?: true
  /** What `filter` filters by, in words. */
  by?: string
  filter?(ground: Ground, n: number): string
}

function lists(
  figure: string,
  path: string,
  field: string,
  { rows = FEW, later, by, filter, ...about }: Lists,
): Operation {
  const cursors = new WeakMap<Ground, string>()
  const words = [later ? 'a later page' : '', by ?? '', `${rows} ${rows === 1 ? 'row' : 'rows'}`]
  const page = async ({ read }: Ground, query: string) =>
    JSON.parse(await read(`${path}?limit=${rows}${query}`)) as { nextCursor?: string }
  return {
    name: `GET ${path}: ${words.filter(Boolean).join(', ')}`,
    figure,
    ...about,
    async before(ground) {
      if (!later || cursors.has(ground)) return
      let { nextCursor } = await page(ground, '')
      // A few pages on, where there are as many.
      for (let i = 0; i < 3 && nextCursor && ground.filled.promotions > 10; i++)
        nextCursor = (await page(ground, `&cursor=${nextCursor}`)).nextCursor
      cursors.set(ground, nextCursor ?? '')
    },
    async run(ground, n) {
      const cursor = cursors.get(ground)
      const query = [filter?.(ground, n), cursor && `cursor=${cursor}`]
        .filter(Boolean)
        .map((one) => `&${one}`)
      const found = (await page(ground, query.join(''))) as Record<string, unknown>
      const count = (found[field] as unknown[]).length
      const wanted = field === 'deadLetters' ? Math.min(rows, ground.filled.deadLetters) : rows
      if (count !== wanted) throw new Error(`${path}${query.join('')} answers ${count} in place of ${wanted}`)
    },
  }
}

function reads(
  figure: string,
  name: string,
  path: (ground: Ground, n: number) => string,
  shows: RegExp,
  { mayRedirect = false, ...about }: { mayRedirect?: boolean; isTarget?: true } = {},
): Operation {
  return {
    name,
    figure,
    ...about,
    async run(ground, n) {
      const body = await ground.read(path(ground, n))
      if (!mayRedirect) mustMatch(body, shows)
    },
  }
}

function mustMatch(body: string, shows: RegExp): void {
  if (!shows.test(body)) throw new Error(`${shows} is not in ${body.slice(0, 1_000)}`)
}

function promotionOf(ground: Ground): { id: string; run: string } {
  const one = underWay.get(ground)
  if (!one) throw new Error('nothing was accepted')
  return one
}

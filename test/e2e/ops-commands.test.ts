// The commands that ops look with, and those for dead letters, as processes: straight in Redis and through the server.
import { describe, expect, onTestFinished, test } from 'vitest'
import { createInvalidJobs } from '../../shared/invalid-jobs.ts'
import { createAudit } from '../../shared/ledger/audit.ts'
import { createQueue, DEAD_LETTERS } from '../../shared/queues.ts'
import { setup as startServer, TOKEN } from '../integration/http-setup.ts'
import { behindCircuit, CD, ledgerOn } from '../integration/ledger-setup.ts'
import { type Relay, startRelay } from '../support/relay.ts'
import { until } from '../support/until.ts'
import { LAUNCHER, NODE, run, startProgram } from '../support/up.ts'

type Env = Record<string, string>

const cli = (args: readonly string[], env: Env) =>
  run(NODE, [LAUNCHER, ...args], { env: { DATA_DIR: '/nowhere/relay', USER: 'alice', ...env } })

const REFUSAL = { kind: 'status-before', status: 422, message: "Required input 'x' not provided" } as const

async function setup() {
  const relay = await startRelay()
  const api = await startServer({ redisUrl: relay.redisUrl })
  const ways: Record<string, Env> = {
    'straight in Redis': { REDIS_URL: relay.redisUrl },
    'through the server': { RELAY_URL: api.url, RELAY_API_TOKEN: TOKEN },
  }
  async function letter(model: string, version = '1') {
    relay.simulator.fault(REFUSAL)
    const id = await relay.promote(version, { model })
    await relay.reaches(id, 'dead_lettered')
    return id
  }
  return { relay, api, ways, letter }
}

/** In one document, and nothing beside it. */
async function json(args: readonly string[], env: Env) {
  const { code, stdout, stderr } = await cli([...args, '--json'], env)
  expect([code, stderr, stdout.trimEnd().split('\n').length]).toEqual([0, '', 1])
  return JSON.parse(stdout)
}

async function state(relay: Relay, id: string) {
  return (await relay.reader.promotion(id))?.state
}

describe.each(['straight in Redis', 'through the server'])('%s', (way) => {
  test('a promotion is explained by its id, how that begins, and its run', async () => {
    const { relay, ways } = await setup()
    const env = ways[way] ?? {}
    const id = await relay.promote('5')
    const { runId = '' } = await relay.ends(id)
    for (const text of [id, id.toUpperCase(), id.slice(0, 30), runId]) {
      const { code, stdout, stderr } = await cli(['explain', text], env)
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toMatch(/^fraud-detector 5: deployed\n {2}live\n/)
      expect(stdout).toMatch(/accepted, the first of its target\n[\s\S]*deployed: this version is live\n$/)
    }
    const shown = await json(['explain', id], env)
    expect(shown).toMatchObject({ id, state: 'deployed', run: { id: runId } })
    expect(shown.timeline.at(-1)).toMatchObject({ what: 'deployed', text: 'deployed: this version is live' })
  })

  test('a model is explained by its targets: what is live, what waits and why, what happens next', async () => {
    const { relay, ways } = await setup()
    const env = ways[way] ?? {}
    await relay.ends(await relay.promote('5'))
    await relay.ends(await relay.promote('1', { environment: 'staging' }))
    await cli(['hold', 'fraud-detector', '--why', 'audit'], env)
    await relay.waitsFor(await relay.promote('6'), 'held')

    const { code, stdout } = await cli(['explain', 'fraud-detector'], env)
    expect(code).toBe(0)
    expect(stdout).toContain('fraud-detector in staging\n')
    expect(stdout).toMatch(/fraud-detector in production\n {2}live +5 for \d+ s\n/)
    expect(stdout).toMatch(/pending +6: waiting: its target is held \(alice: audit\)\n/)
    expect(stdout).toMatch(/hold +all of it, by alice: audit, for /)
    expect(stdout).toMatch(/next +version 6 goes once the target is released\n/)
    const { targets } = await json(['explain', 'fraud-detector', '--environment', 'production'], env)
    expect(targets).toMatchObject([
      {
        live: '5',
        pendingPromotion: { version: '6' },
        inFlightPromotion: null,
        promotions: [{ version: '6' }, { version: '5' }],
      },
    ])
  })

  test('what was promoted and what is live are listed, by their filters', async () => {
    const { relay, ways, letter } = await setup()
    const env = ways[way] ?? {}
    await relay.ends(await relay.promote('5'))
    const id = await letter('churn')
    const list = await cli(['list'], env)
    expect(list.said).toHaveLength(3)
    expect(list.said[1]).toMatch(new RegExp(`^${id}  churn +1 +dead lettered +\\d+ s +GitHub answered 422`))
    expect((await cli(['list', '--model', 'nothing'], env)).stdout).toBe('no such promotions\n')
    const { promotions } = await json(
      ['list', '--state', 'deployed', '--version', '5', '--environment', 'production'],
      env,
    )
    expect(promotions).toMatchObject([{ model: 'fraud-detector', state: 'deployed' }])
    expect((await cli(['list', '--limit', '1'], env)).said.at(-1)).toMatch(/^there are more: --limit /)
    expect((await json(['targets', '--model', 'fraud-detector'], env)).targets).toMatchObject([{ live: '5' }])
    expect((await cli(['targets'], env)).stdout).toMatch(/\nfraud-detector +5 +\d+ s\n/)
  })

  test('dead letters are listed, shown, and put back one by one', async () => {
    const { relay, ways, letter } = await setup()
    const env = ways[way] ?? {}
    expect((await cli(['dead-letters'], env)).stdout).toBe('no dead letters\n')
    const id = await letter('churn')
    expect((await cli(['dead-letters', 'list', '--reason', 'INPUT'], env)).stdout).toContain(id)
    expect((await cli(['dead-letters', 'list', '--model', 'other'], env)).stdout).toBe('no dead letters\n')
    expect(await json(['dead-letters', 'list'], env)).toMatchObject({
      deadLetters: [{ id }],
      invalidJobs: [],
    })
    const shown = await cli(['dead-letters', 'show', id.slice(0, 30)], env)
    expect(shown.stdout).toContain(`promotion-relay dead-letters redrive ${id}\n`)

    const preview = await cli(['dead-letters', 'redrive', id, '--dry-run'], env)
    expect([preview.code, preview.stdout]).toEqual([0, `${id}  churn 1: It goes back into the queue\n`])
    expect(await state(relay, id)).toBe('dead_lettered')
    const done = await cli(['dead-letters', 'redrive', id, '--why', 'the workflow is mended'], env)
    expect([done.code, done.stderr, done.stdout]).toEqual([0, '', preview.stdout])
    expect(await relay.ends(id)).toMatchObject({ state: 'deployed' })
    expect(await relay.reader.timeline(id)).toContainEqual(
      expect.objectContaining({ what: 'redriven', by: 'alice', why: 'the workflow is mended' }),
    )
    const { deeds } = await createAudit({ redis: relay.redis }).newest(10)
    const via = way === 'straight in Redis' ? 'cli' : 'api'
    expect(deeds).toMatchObject([
      { who: 'alice', what: 'redrive', of: id, via, why: 'the workflow is mended' },
    ])
    const again = await cli(['dead-letters', 'redrive', id], env)
    expect([again.code, again.stdout]).toEqual([
      1,
      `${id}  churn 1: Nothing to redrive: it is deployed by now\n`,
    ])
  })

  test('many are changed by filter only where that was meant', async () => {
    const { relay, ways, letter } = await setup()
    const env = ways[way] ?? {}
    const [first, second, other] = [await letter('a'), await letter('a', '2'), await letter('b')]
    for (const [args, words] of [
      [['redrive'], /say which: promotion-relay dead-letters redrive ID, or --all/],
      [['redrive', '--model', 'a'], /say which/],
      [['redrive', '--all', '--model', 'a'], /say --yes/],
      [['discard', '--all', first], /not both/],
      [
        ['discard', '01a2079d-cf6c-7585-a09d-988039c18c8d'],
        /there is no promotion 01a2079d.*nothing was changed/,
      ],
    ] as const) {
      const refused = await cli(['dead-letters', ...args], env)
      expect([refused.code, refused.stdout]).toEqual([2, ''])
      expect(refused.stderr).toMatch(words)
    }
    const all = ['--all', '--model', 'a', '--why', 'gone']
    const preview = await json(['dead-letters', 'redrive', ...all, '--dry-run'], env)
    expect(preview).toMatchObject({
      dryRun: true,
      results: [
        { id: first, result: { kind: 'done', status: 'superseded', version: '2' } },
        { id: second, result: { kind: 'done', status: 'accepted' } },
      ],
    })
    const discarded = await json(['dead-letters', 'discard', ...all, '--yes'], env)
    expect(discarded.results.map(({ id }: { id: string }) => id)).toEqual([first, second])
    expect(await Promise.all([first, second, other].map((id) => state(relay, id)))).toEqual([
      'skipped',
      'skipped',
      'dead_lettered',
    ])
  })

  test('what is refused exits 1 and says what is possible instead', async () => {
    const { relay, ways } = await setup()
    const id = '01a2079d-cf6c-7585-a09d-988039c18c8d'
    const ledger = ledgerOn(relay.redis)
    await ledger.unresolved('5', { model: 'churn', id })
    const refused = await cli(['dead-letters', 'discard', id], ways[way] ?? {})
    expect(refused.code).toBe(1)
    expect(refused.stdout).toContain('A run of it may exist: say first what became of it. Resolve it')
    const shown = await cli(['dead-letters', 'show', id], ways[way] ?? {})
    expect(shown.stdout).toContain(`promotion-relay resolve ${id} --run RUN\n`)
  })

  test('jobs that are no promotions are listed as such, and nothing in them steers a terminal', async () => {
    const { relay, ways } = await setup()
    const queue = createQueue(DEAD_LETTERS, relay.redis)
    onTestFinished(() => queue.close())
    await createInvalidJobs({ redis: relay.redis, queue }).note('dl-invalid-7')
    await relay.redis.zadd(queue.toKey('failed'), Date.now(), 'dl-invalid-7')
    await relay.redis.hset(queue.toKey('dl-invalid-7'), 'failedReason', 'no model \u001b[2J\u0007')
    const { stdout } = await cli(['dead-letters'], ways[way] ?? {})
    expect(stdout).toMatch(
      /Jobs of which no promotion could be made.*\njob +age +reason\ndl-invalid-7 +\d+ s +no model {2}\[2J\n/,
    )
    const shown = await cli(['dead-letters', 'show', 'dl-invalid-7'], ways[way] ?? {})
    expect(shown.stdout).toContain('Correct whoever adds these jobs')
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    expect(stdout + shown.stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f]/)
  })

  test('circuits and figures are told, and a circuit is probed', async () => {
    const { relay, ways } = await setup()
    const env = ways[way] ?? {}
    expect((await cli(['circuits'], env)).stdout).toBe('no circuit is open: promotions flow\n')
    const closed = await cli(['circuits', 'probe', CD], env)
    expect([closed.code, closed.stdout]).toEqual([1, ''])
    expect(closed.stderr).toContain(`No circuit is open for ${CD}`)
    const ledger = ledgerOn(relay.redis)
    // Nobody probes a circuit of another repository but by being asked to.
    await ledger.end(await ledger.going('5'), behindCircuit(600_000, 'other/place'))
    const { circuits } = await json(['circuits'], env)
    expect(circuits).toMatchObject([{ scope: 'other/place', reason: 'credentials', halfOpen: false }])
    expect((await cli(['circuits'], env)).stdout).toMatch(
      /\nother\/place +credentials +\d+ s +in \d+ min +ended with again\n/,
    )
    expect(await json(['stats'], env)).toMatchObject({ openCircuits: 1, workers: 1, ever: { accepted: 1 } })
    expect((await cli(['stats'], env)).stdout).toMatch(/^circuits +1 open$/m)
    expect(await json(['circuits', 'probe', 'other/place'], env)).toMatchObject({ status: 'asked' })
  })

  test('what is wrong is named by its flag, and what is not there gets a hint', async () => {
    const { relay, ways } = await setup()
    const env = ways[way] ?? {}
    await relay.ends(await relay.promote('5'))
    for (const [args, code, words] of [
      [['list', '--state', 'live'], 2, /--state must be one of accepted, /],
      [['list', '--limit', '0'], 2, /whole number from 1 to 10000/],
      [['targets', '--model', ''], 2, /--model must not be empty/],
      [['explain', 'fraud'], 1, /no promotion and no model is called fraud\n.*there is: fraud-detector\n/],
      [
        ['explain', 'fraud-detector', '--environment', 'staging'],
        1,
        /there is: fraud-detector in production\n/,
      ],
      [['dead-letters', 'show', 'nothing'], 1, /promotion-relay dead-letters list shows/],
    ] as const) {
      const wrong = await cli(args, env)
      expect([args, wrong.code, wrong.stdout]).toEqual([args, code, ''])
      expect(wrong.stderr).toMatch(words)
    }
  })
})

const LOOKS = [['explain', 'm'], ['list'], ['targets'], ['dead-letters'], ['circuits'], ['stats']]

test('with nobody there they say so, and exit 3', async () => {
  for (const env of [
    { REDIS_URL: 'redis://127.0.0.1:1' },
    { RELAY_URL: 'http://127.0.0.1:1', RELAY_API_TOKEN: TOKEN },
  ]) {
    const all = await Promise.all(LOOKS.map((args) => cli(args, env as Env)))
    for (const away of all) {
      expect([away.code, away.stdout]).toEqual([3, ''])
      expect(away.stderr).toMatch(/can't be reached/)
    }
  }
}, 60_000)

test('a token that may not read is told so', async () => {
  const { api } = await setup()
  const refused = await cli(['stats'], { RELAY_URL: api.url, RELAY_API_TOKEN: 'another' })
  expect([refused.code, refused.stdout]).toEqual([2, ''])
  expect(refused.stderr).toContain('RELAY_API_TOKEN must be a token of the relay with the scope read')
})

/** As on a terminal of so many columns and 24 rows. */
function onTerminal(args: readonly string[], env: Env, columns = 80) {
  const command = `stty cols ${columns} rows 24; exec ${[NODE, LAUNCHER, ...args].join(' ')}`
  return startProgram('script', ['-qec', command, '/dev/null'], {
    env: { DATA_DIR: '/nowhere/relay', USER: 'alice', TERM: 'xterm', ...env },
  })
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the colours of a terminal
const COLOURS = /\u001b\[[\d;]*m/g

test('a terminal has colours, and lines no wider than it is; NO_COLOR takes the colours away', async () => {
  const { relay, ways, letter } = await setup()
  const env = ways['straight in Redis'] ?? {}
  await relay.ends(await relay.promote('5'))
  const long = 'a-model-whose-name-is-so-long-that-a-terminal-has-no-room-for-it'
  await letter(long, '2026.11.23-candidate.1')
  const show = async (more: Env, columns: number) => {
    const program = onTerminal(['list'], { ...env, ...more }, columns)
    await program.end()
    return program.stdout.replaceAll('\r', '').trimEnd().split('\n')
  }
  for (const columns of [80, 120]) {
    const lines = await show({}, columns)
    expect(lines.join('\n')).toContain('\u001b[32mdeployed\u001b[39m')
    const plain = lines.map((line) => line.replace(COLOURS, ''))
    expect(plain.every((line) => line.length <= columns)).toBe(true)
    expect(plain.join('\n')).toContain('…')
    expect((await show({ NO_COLOR: '1' }, columns)).join('')).not.toContain('\u001b')
  }
  const piped = await cli(['list'], env)
  expect(piped.stdout).toContain(long)
  expect(piped.stdout).not.toContain('\u001b')
})

test('on a terminal a change of many asks once, and only yes is a yes', async () => {
  const { relay, ways, letter } = await setup()
  const env = ways['straight in Redis'] ?? {}
  const id = await letter('a')
  for (const [typed, code, after] of [
    ['no', 1, 'dead_lettered'],
    ['yes', 0, 'skipped'],
  ] as const) {
    const program = onTerminal(['dead-letters', 'discard', '--all'], env)
    await until('it asks', () => program.stdout.includes('type yes:'))
    expect(program.stdout).toContain('1 dead letter, and what would come of them')
    expect(await state(relay, id)).toBe('dead_lettered')
    program.type(`${typed}\n`)
    expect([await program.end(), await state(relay, id)]).toEqual([code, after])
  }
})

describe('watch', () => {
  test('is redrawn in place on a terminal, which is left as it was found', async () => {
    const { relay, ways } = await setup()
    const program = onTerminal(['watch', '--interval', '0.2'], ways['straight in Redis'] ?? {})
    await until('the first frame', () => program.stdout.includes('nothing was promoted yet'))
    await relay.ends(await relay.promote('5'))
    await until('what has changed', () => program.stdout.includes('1h 1 of 1 (100.0 %)'))
    expect(program.stdout.startsWith('\u001b[?1049h')).toBe(true)
    // Each frame has all rows of the terminal, and not one more: nothing scrolls.
    const [, frame = ''] = program.stdout.split('\u001b[H')
    expect(frame.split('\r\n')).toHaveLength(24)
    program.type('\u0003')
    expect(await program.end()).toBe(0)
    expect(program.stdout.endsWith('\u001b[?1049l')).toBe(true)
  })

  test.each(['straight in Redis', 'through the server'])(
    'where it is none it prints a block for each change: %s',
    async (way) => {
      const { relay, ways } = await setup()
      const env = { DATA_DIR: '/nowhere/relay', ...ways[way] }
      const program = startProgram(NODE, [LAUNCHER, 'watch', '--interval', '0.1'], { env })
      const json = startProgram(NODE, [LAUNCHER, 'watch', '--interval', '0.1', '--json'], { env })
      const blocks = () => program.stdout.split(/^--- /m).slice(1)
      await until('the first block', () => blocks().length === 1 && json.stdout !== '')
      await cli(['stats'], ways[way] ?? {})
      expect(blocks()).toHaveLength(1)
      await relay.ends(await relay.promote('5'))
      await until('another', () => /1 accepted|promoted \d+ s ago/.test(blocks().at(-1) ?? ''))
      expect(program.stdout).not.toContain('\u001b')
      program.kill('SIGTERM')
      json.kill('SIGTERM')
      expect([await program.end(), await json.end()]).toEqual([0, 0])
      const documents = json.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line))
      expect(documents[0]).toMatchObject({
        status: 'answer',
        stats: { ever: {} },
        underWay: [],
        circuits: [],
      })
    },
  )

  test('says that the relay is away, and goes on when it is back', async () => {
    const { relay } = await setup()
    const first = await startServer({ redisUrl: relay.redisUrl })
    const { port, origin } = new URL(first.url)
    const env = { DATA_DIR: '/nowhere/relay', RELAY_URL: origin, RELAY_API_TOKEN: TOKEN }
    const program = startProgram(NODE, [LAUNCHER, 'watch', '--interval', '0.1'], { env })
    await until('the first block', () => program.stdout.includes('nothing was promoted yet'))
    await first.close()
    await until('its word', () => program.stdout.includes("can't be reached: trying again"))
    await startServer({ redisUrl: relay.redisUrl, env: { PORT: port } })
    await until('it is back', () => (program.stdout.match(/nothing was promoted yet/g) ?? []).length === 2)
    expect(program.stdout.match(/trying again/g)).toHaveLength(1)
  })
})

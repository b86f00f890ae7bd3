// The command line as a child process of its own, through its launcher: what it prints, and its exit codes.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import path from 'node:path'
import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { setup as startServer, TOKEN } from '../integration/http-setup.ts'
import { logIn } from '../integration/ops-setup.ts'
import { startRelay } from '../support/relay.ts'
import { testRedis } from '../support/test-redis.ts'
import { until } from '../support/until.ts'
import { LAUNCHER, NODE, ROOT, run, startProgram, temporaryDir } from '../support/up.ts'

const V5 = ['--model', 'fraud-detector', '--version', '5', '--accuracy', '0.9234']
const V6 = ['--model', 'fraud-detector', '--version', '6']

type Env = Record<string, string>

/** A directory in which no relay runs, unless it is told otherwise. */
const cli = (args: readonly string[], env: Env = {}) =>
  run(NODE, [LAUNCHER, ...args], { env: { DATA_DIR: '/nowhere/relay', ...env } })

const promote = (args: readonly string[], env: Env) => cli(['promote', ...args], env)

describe('promote, straight into Redis', () => {
  test('says what was accepted and what is live, and exits 0', async () => {
    const relay = await startRelay()
    const first = await promote(V5, { REDIS_URL: relay.redisUrl })
    expect([first.code, first.stderr]).toEqual([0, ''])
    const id = /^accepted ([0-9a-f-]{36}): fraud-detector 5, the first of its target\n$/.exec(
      first.stdout,
    )?.[1]
    await relay.reaches(id ?? '', 'deployed')
    const upgrade = await promote(V6, { REDIS_URL: relay.redisUrl })
    expect(upgrade.stdout).toMatch(/^accepted \S+: fraud-detector 6, version 5 is live now\n$/)
  })

  test('names the promotion that it repeats, and exits 0', async () => {
    const relay = await startRelay()
    const id = await relay.promote('5')
    await relay.reaches(id, 'deployed')
    const again = await promote(V5, { REDIS_URL: relay.redisUrl })
    expect([again.code, again.stdout]).toEqual([0, `duplicate of ${id} (deployed): nothing new was queued\n`])
  })

  test('with --json prints the result as one line of JSON', async () => {
    const relay = await startRelay()
    const first = await promote([...V5, '--json'], { REDIS_URL: relay.redisUrl })
    const result = JSON.parse(first.stdout)
    expect(result).toEqual({ status: 'accepted', id: expect.any(String), state: 'accepted', live: '' })
    await relay.reaches(result.id, 'deployed')
    const again = await promote([...V5, '--json'], { REDIS_URL: relay.redisUrl })
    expect(JSON.parse(again.stdout)).toMatchObject({ status: 'duplicate', id: result.id, state: 'deployed' })
  })

  test('passes on every flag', async () => {
    const relay = await startRelay({ workers: 0 })
    const flags = [
      '--environment',
      'staging',
      '--source',
      'nightly',
      '--rollback',
      '--idempotency-key',
      'run-1',
    ]
    const { said } = await promote([...V5, ...flags, '--json'], { REDIS_URL: relay.redisUrl })
    const promotion = await relay.reader.promotion(JSON.parse(said[0] ?? '').id)
    expect(promotion).toMatchObject({
      environment: 'staging',
      source: 'nightly',
      rollback: true,
      accuracy: 0.9234,
    })
    const other = await promote([...V6, '--idempotency-key', 'run-1'], { REDIS_URL: relay.redisUrl })
    expect([other.code, other.complaints]).toEqual([
      2,
      ['promotion-relay: the idempotency key was used for another promotion'],
    ])
  })
})

describe('promote --wait', () => {
  test('shows each step and what it waits for, and exits 0 when the version is live', async () => {
    const relay = await startRelay()
    relay.simulator.hold()
    await relay.reaches(await relay.promote('5'), 'dispatched')
    const waiting = startProgram(NODE, [LAUNCHER, 'promote', ...V6, '--wait'], {
      env: { REDIS_URL: relay.redisUrl },
    })
    const reason = 'waiting: version 5 of the same target is on its way'
    await until('the reason why it waits', () => waiting.stdout.includes(reason))
    relay.simulator.release()
    expect(await waiting.end()).toBe(0)
    const steps = [
      'accepted',
      reason,
      'attempt 1: intent recorded',
      'dispatched as run',
      'deployed',
      'ended: deployed',
    ]
    const places = steps.map((step) => waiting.stdout.indexOf(step))
    expect(places).not.toContain(-1)
    expect(places).toEqual(places.toSorted((a, b) => a - b))
    expect(waiting.stderr).toBe('')
  })

  test('exits 1 when a newer version takes its place, and says which promotion', async () => {
    const relay = await startRelay()
    relay.simulator.hold()
    await relay.reaches(await relay.promote('5'), 'dispatched')
    const waiting = startProgram(NODE, [LAUNCHER, 'promote', ...V6, '--wait'], {
      env: { REDIS_URL: relay.redisUrl },
    })
    await until('its acceptance', () => waiting.stdout.includes('accepted'))
    const newer = await relay.promote('7')
    expect(await waiting.end()).toBe(1)
    expect(waiting.stdout).toContain(`superseded by ${newer}`)
    expect(waiting.stdout).toMatch(/ended: superseded\n$/)
    relay.simulator.release()
    await relay.reaches(newer, 'deployed')
  })

  test('exits 1 when the run fails, and says how it ended', async () => {
    const relay = await startRelay({ simulator: { conclusion: 'failure' } })
    const { code, stdout } = await promote([...V5, '--wait'], { REDIS_URL: relay.redisUrl })
    expect(code).toBe(1)
    expect(stdout).toContain('its run ended: failure')
    expect(stdout).toMatch(/ended: failed\n$/)
  })

  test('exits 1 on a dead letter, with what GitHub said', async () => {
    const relay = await startRelay()
    relay.simulator.fault({ kind: 'status-before', status: 422, message: 'inputs are too large\u001b[2J' })
    const { code, stdout } = await promote([...V5, '--wait'], { REDIS_URL: relay.redisUrl })
    expect(code).toBe(1)
    expect(stdout).toContain('dead-lettered: GitHub answered 422: inputs are too large')
    expect(stdout).not.toContain('\u001b')
    expect(stdout).toMatch(/ended: dead lettered\n$/)
  })

  test('exits 1 when the trigger is off, and says so', async () => {
    const relay = await startRelay({ env: { ENABLE_CD_TRIGGER: 'false' } })
    const { code, stdout } = await promote([...V5, '--wait'], { REDIS_URL: relay.redisUrl })
    expect(code).toBe(1)
    expect(stdout).toContain('skipped: trigger disabled (ENABLE_CD_TRIGGER)')
  })

  test('exits 4 when its time is over, and says that it goes on', async () => {
    const relay = await startRelay()
    relay.simulator.hold()
    const timeout = ['--wait', '--timeout', '0.5']
    const { code, stdout } = await promote([...V5, ...timeout], { REDIS_URL: relay.redisUrl })
    expect(code).toBe(4)
    expect(stdout).toMatch(/not at its end after 0.5 s; it goes on\n$/)
    const asJson = await promote([...V5, ...timeout, '--json'], { REDIS_URL: relay.redisUrl })
    expect([asJson.code, asJson.said.map((line) => JSON.parse(line))]).toEqual([
      4,
      [expect.objectContaining({ status: 'duplicate' }), { id: expect.any(String), state: 'timeout' }],
    ])
    relay.simulator.release()
    await relay.idle()
  })
})

describe('promote, over HTTP', () => {
  test('does the same with the address and the token', async () => {
    const server = await startServer()
    const env = { RELAY_API_TOKEN: TOKEN }
    const url = ['--url', `${server.url}/`]
    const first = await promote([...V5, ...url, '--json', '--idempotency-key', 'k'], env)
    expect([first.code, JSON.parse(first.stdout)]).toEqual([
      0,
      { status: 'accepted', id: expect.any(String), state: 'accepted', live: '' },
    ])
    const again = await promote([...V5, ...url], env)
    expect([again.code, again.stdout]).toEqual([0, expect.stringMatching(/^duplicate of /)])
    const other = await promote([...V6, ...url, '--idempotency-key', 'k'], env)
    expect([other.code, other.complaints.length]).toEqual([2, 1])
    const waited = await promote([...V5, '--wait', '--timeout', '0.3'], { ...env, RELAY_URL: server.url })
    expect([waited.code, waited.said[1]]).toEqual([
      4,
      expect.stringContaining('accepted, the first of its target'),
    ])
  })

  test('a token that the relay does not take is said in one line, exit 3, without the token', async () => {
    const server = await startServer()
    const { code, complaints, stderr } = await promote([...V5, '--url', server.url], {
      RELAY_API_TOKEN: 'sentinel-x',
    })
    expect(code).toBe(3)
    expect(complaints[0]).toContain('it does not take this token')
    expect(stderr).not.toContain('sentinel')
    expect(await server.traces()).toEqual([])
  })

  test('a missing token is asked for by name, exit 2', async () => {
    const { code, complaints } = await promote([...V5, '--url', 'http://127.0.0.1:1'], {})
    expect([code, complaints]).toEqual([2, [expect.stringContaining('RELAY_API_TOKEN is missing')]])
  })
})

describe('wrong flags', () => {
  test.each<[what: string, args: string[], complaints: string[]]>([
    ['nothing', [], ['--model is missing', '--version is missing']],
    ['an accuracy in per cent', [...V6, '--accuracy', '92.34'], ['--accuracy must be between 0 and 1']],
    ['an accuracy that is no number', [...V6, '--accuracy', 'good'], ['--accuracy must be a number']],
    ['an empty accuracy', [...V6, '--accuracy', ''], ['--accuracy must be a number']],
    [
      'all wrong at once',
      ['--model', '', '--version', 'a\u0007b', '--accuracy', '7', '--environment', 'a b', '--source', ' '],
      [
        '--model must not be empty',
        '--version must not contain control characters',
        '--accuracy must be between 0 and 1',
        "--environment may hold letters, digits, '.', '_' and '-' only",
        '--source must not begin or end with white space',
      ],
    ],
    [
      'an overlong model',
      ['--model', 'm'.repeat(300), '--version', '1'],
      ['--model must be at most 250 characters long'],
    ],
  ])('%s: one line a problem, exit 2, and nothing on Redis', async (_what, args, wanted) => {
    const { url } = await testRedis()
    const { code, complaints, stdout } = await promote(args, { REDIS_URL: url })
    expect([code, stdout]).toEqual([2, ''])
    expect(complaints).toEqual(wanted.map((line) => `promotion-relay: ${line}`))
    await nothingOn(url)
  })

  test.each<[what: string, args: string[], word: string]>([
    ['an unknown flag', ['promote', ...V5, '--colour', 'red'], "unknown option '--colour'"],
    ['a flag without its value', ['promote', '--model'], "option '--model <name>' argument missing"],
    [
      'a timeout that is none',
      ['promote', ...V5, '--wait', '--timeout', 'soon'],
      'A number of seconds is needed',
    ],
    ['too many words', ['promote', ...V5, 'now'], 'too many arguments'],
    ['an unknown command', ['promoet'], "unknown command 'promoet'"],
    ['an empty address', ['promote', ...V5, '--url', ''], 'An address is needed'],
    ['a resolve without a word', ['resolve', 'x'], 'say either --run ID or --absent'],
    [
      'a run that is no number',
      ['resolve', 'x', '--run', 'abc'],
      '--run must be the number of a workflow run',
    ],
  ])('%s: said plainly, exit 2, no stack', async (_what, args, word) => {
    const { code, stdout, stderr } = await cli(args)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(word)
    expect(stderr).not.toMatch(/\n +at /)
  })

  test('an idempotency key that is too long is named as the flag it is', async () => {
    const { url } = await testRedis()
    const { code, complaints } = await promote([...V5, '--idempotency-key', 'k'.repeat(300)], {
      REDIS_URL: url,
    })
    expect([code, complaints]).toEqual([
      2,
      ['promotion-relay: --idempotency-key must be at most 255 characters long'],
    ])
    await nothingOn(url)
  })
})

async function nothingOn(url: string): Promise<void> {
  const redis = new Redis(url)
  expect(await redis.keys('*')).toEqual([])
  redis.disconnect()
}

describe('no relay', () => {
  test('none is found: exit 3, and a line that says what to do', async () => {
    const { code, complaints } = await promote(V5, { DATA_DIR: temporaryDir('no-relay') })
    expect(code).toBe(3)
    expect(complaints).toEqual([
      expect.stringContaining('no relay was found'),
      'promotion-relay: start one with npm start, or name one',
    ])
  })

  test('Redis is away: exit 3 within three seconds, and it is safe to run again', async () => {
    const env = { REDIS_URL: 'redis://:sentinel-password@127.0.0.1:1' }
    const { code, complaints, stderr, tookMs } = await promote(V5, env)
    expect([code, complaints]).toEqual([
      3,
      [expect.stringContaining('Redis'), expect.stringContaining('safe to run this again')],
    ])
    expect(stderr).not.toContain('sentinel')
    expect(tookMs).toBeLessThan(3_000)
  })

  test('the server is away, or is none of ours: exit 3, in plain words', async () => {
    const env = { RELAY_API_TOKEN: TOKEN }
    const away = await promote([...V5, '--url', 'http://127.0.0.1:1'], env)
    expect([away.code, away.complaints[0]]).toEqual([
      3,
      expect.stringContaining("http://127.0.0.1:1 can't be reached"),
    ])
    const silent = createServer((socket) => socket.on('error', () => {}))
    silent.listen(0, '127.0.0.1')
    await once(silent, 'listening')
    onTestFinished(() => void silent.close())
    const { port } = silent.address() as { port: number }
    const mute = await promote([...V5, '--url', `http://127.0.0.1:${port}`], env)
    expect([mute.code, mute.complaints[0]]).toEqual([3, expect.stringContaining('no answer in time')])
    expect(mute.tookMs).toBeLessThan(3_000)
    const nonsense = await promote([...V5, '--url', 'not an address'], env)
    expect([nonsense.code, nonsense.complaints[0]]).toEqual([
      2,
      expect.stringContaining('An address is needed'),
    ])
  })
})

describe('token', () => {
  test('new shows a token and its line, with which it gets in', async () => {
    const made = await cli(['token', 'new', '--name', 'ci', '--scope', 'promote,read'])
    expect([made.code, made.stderr]).toEqual([0, ''])
    const [, token = '', line = ''] =
      /(relay_\S+)\n.+\n {2}(ci promote,read sha256:\S+)$/m.exec(made.stdout) ?? []
    const tokensFile = path.join(temporaryDir('tokens'), 'tokens')
    writeFileSync(tokensFile, line)
    const server = await startServer({ env: { RELAY_API_TOKENS_FILE: tokensFile } })
    const { code } = await promote([...V5, '--url', server.url], { RELAY_API_TOKEN: token })
    expect(code).toBe(0)

    const asJson = await cli(['token', 'new', '--name', 'ci', '--scope', 'read', '--json'])
    expect(JSON.parse(asJson.stdout)).toEqual({
      token: expect.stringMatching(/^relay_/),
      line: expect.stringMatching(/^ci read sha256:/),
    })
  })

  test('new refuses a name or scope that is none', async () => {
    const wrong = await cli(['token', 'new', '--name', 'ci', '--scope', 'write'])
    expect([wrong.code, wrong.stdout, wrong.stderr]).toEqual([
      2,
      '',
      expect.stringContaining('must be of promote, read, operate'),
    ])
    expect((await cli(['token', 'new', '--name', 'a b', '--scope', 'read'])).code).toBe(2)
  })
})

describe('user', () => {
  const PASSWORD = 'a password that nobody guesses'
  /** Types nothing: the password comes by standard input. */
  const user = (args: string[], input: string) =>
    new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
      const child = spawn(NODE, [LAUNCHER, 'user', ...args], { cwd: ROOT })
      const out = { stdout: '', stderr: '' }
      child.stdout.on('data', (chunk) => {
        out.stdout += chunk
      })
      child.stderr.on('data', (chunk) => {
        out.stderr += chunk
      })
      child.on('close', (code) => resolve({ code, ...out }))
      child.stdin.on('error', () => {})
      child.stdin.end(input)
    })

  test('prints the line of a person, with whose password they log in, and not the password', async () => {
    const { code, stdout, stderr } = await user(['vera', '--role', 'viewer'], `${PASSWORD}\n`)
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toMatch(/^vera viewer \$scrypt\$ln=15,r=8,p=3\$\S+\n$/)
    const usersFile = path.join(temporaryDir('users'), 'users')
    writeFileSync(usersFile, stdout)
    const server = await startServer({ env: { OPS_USERS_FILE: usersFile } })
    const { get } = await logIn(server, 'vera', PASSWORD)
    expect((await get('/queues')).status).toBe(200)
  })

  test.each<[what: string, args: string[], input: string, words: string]>([
    ['a short password', ['vera', '--role', 'viewer'], 'short', '12 to 500 characters'],
    ['none', ['vera', '--role', 'viewer'], '', '12 to 500 characters'],
    ['a name with a space', ['vera k', '--role', 'viewer'], PASSWORD, 'must be 1 to 100 letters'],
    ['another role', ['vera', '--role', 'root'], PASSWORD, 'must be viewer or operator'],
    ['no role', ['vera'], PASSWORD, '--role'],
    ['a password as an argument', ['vera', PASSWORD, '--role', 'viewer'], PASSWORD, 'too many arguments'],
  ])('refuses %s', async (_what, args, input, words) => {
    const { code, stdout, stderr } = await user(args, input)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain(words)
  })

  test('at a terminal it asks twice and shows nothing of what is typed', async ({ skip }) => {
    if (spawnSync('script', ['--version']).error) return skip('no `script` for a terminal on this machine')
    const type = async (again: string) => {
      const child = spawn('script', ['-qec', `${NODE} ${LAUNCHER} user vera --role viewer`, '/dev/null'], {
        cwd: ROOT,
      })
      let shown = ''
      child.stdout.on('data', (chunk) => {
        shown += chunk
      })
      const ended = once(child, 'close')
      await until('the question', () => shown.includes('Password: '))
      child.stdin.write(`${PASSWORD}\r`)
      await until('the second question', () => shown.includes('The same again: '))
      child.stdin.write(`${again}\r`)
      const [code] = await ended
      return { code, shown }
    }
    const right = await type(PASSWORD)
    expect(right.code).toBe(0)
    expect(right.shown).toContain('vera viewer $scrypt$')
    expect(right.shown).not.toContain('nobody guesses')
    const wrong = await type('another password altogether')
    expect([wrong.code, wrong.shown.includes('$scrypt$')]).toEqual([2, false])
    expect(wrong.shown).toContain('are not the same')
  })
})

describe('serve and work', () => {
  test.each([
    ['serve', {}, ['REDIS_URL', 'RELAY_API_TOKEN', 'OPS_PASSWORD']],
    [
      'work',
      { ENABLE_CD_TRIGGER: 'true' },
      ['REDIS_URL', 'GITHUB_REPO_OWNER', 'GITHUB_REPO_NAME', 'GITHUB_TOKEN'],
    ],
    [
      'work',
      { ENABLE_CD_TRIGGER: 'true', WORKER_PORT: '99999', LOG_LEVEL: 'loud', GITHUB_TOKEN: 'sentinel token' },
      ['WORKER_PORT', 'LOG_LEVEL', 'GITHUB_TOKEN', 'REDIS_URL', 'GITHUB_REPO_OWNER', 'GITHUB_REPO_NAME'],
    ],
  ] as [string, Env, string[]][])(
    '%s refuses to start with %o, and lists every problem',
    async (command, env, names) => {
      const { code, complaints, stdout, stderr } = await cli([command], env)
      expect([code, stdout]).toEqual([2, ''])
      expect(complaints).toEqual(names.map((name) => expect.stringMatching(`^promotion-relay: ${name} `)))
      expect(stderr).not.toContain('sentinel')
    },
  )

  test.each([
    ['serve', 'PORT'],
    ['work', 'WORKER_PORT'],
  ])('%s on a taken port: one line, exit 2', async (command, name) => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    onTestFinished(() => void other.close())
    const { port } = other.address() as { port: number }
    const { url: REDIS_URL } = await testRedis()
    const env = { REDIS_URL, RELAY_API_TOKEN: TOKEN, OPS_PASSWORD: 'ops-password', [name]: String(port) }
    const { code, complaints } = await cli([command], env)
    expect([code, complaints]).toEqual([2, [expect.stringContaining(`port ${port} is taken`)]])
    expect(complaints[0]).toContain(`${name}=`)
  })
})

describe('the launcher', () => {
  test('tells an old Node which one is needed', async () => {
    for (const [version, ok] of [
      ['12.22.12', false],
      ['20.20.2', false],
      ['22.17.9', false],
      ['22.18.0', true],
      ['24.0.0', true],
    ] as const) {
      const fake = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } });
        Object.defineProperty(process, 'version', { value: 'v${version}' });
        process.argv = [process.argv[0], ${JSON.stringify(LAUNCHER)}, '--version'];
        require(${JSON.stringify(LAUNCHER)})`
      const { code, stdout, stderr } = await run(NODE, ['-e', fake])
      if (ok)
        expect([version, code, stdout]).toEqual([version, 0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)])
      else {
        expect([version, code, stdout]).toEqual([version, 2, ''])
        expect(stderr).toBe(`promotion-relay needs Node 22.18 or later; this is v${version}.\n`)
      }
    }
  })

  test('is read by the older Node of this machine, where there is one', async ({ skip }) => {
    const found = await run('sh', [
      '-c',
      'for dir in /usr/local/bin /usr/bin /opt/node/bin; do ls $dir/node; done 2> /dev/null',
    ])
    const versions = await Promise.all(
      found.said.map(async (node) => ({
        node,
        version: (await run(node, ['-p', 'process.versions.node'])).stdout,
      })),
    )
    const old = versions.find(({ version }) => Number(version.split('.')[0]) < 22)
    if (!old) return skip('no Node older than 22 on this machine')
    const { code, complaints } = await run(old.node, [LAUNCHER, '--help'])
    expect([code, complaints]).toEqual([
      2,
      [expect.stringContaining('promotion-relay needs Node 22.18 or later')],
    ])
  })

  test('is what npx runs in the checkout', async () => {
    const { code, stdout } = await run('npx', ['promotion-relay', '--version'], { cwd: ROOT })
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)])
  })
})

describe('help', () => {
  test.each(['', 'promote', 'resolve', 'serve', 'work', 'up'])(
    '%s --help reads well and exits 0',
    async (command) => {
      const { code, stdout, stderr } = await cli([command, '--help'].filter(Boolean))
      expect([code, stderr]).toEqual([0, ''])
      expect(stdout).toContain(`Usage: promotion-relay ${command}`.trimEnd())
      const lines = stdout.trimEnd().split('\n')
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
      expect(lines.length).toBeLessThan(60)
    },
  )

  test('of promote names every exit code', async () => {
    const { stdout } = await cli(['promote', '--help'])
    const codes = /Exit codes:((?:.|\n)*)$/.exec(stdout)?.[1] ?? ''
    expect(codes.match(/\b[0-9]\b/g)).toEqual(['0', '1', '2', '3', '4'])
  })

  test('without a command the help is shown, as a mistake', async () => {
    const { code, stdout, stderr } = await cli([])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('Commands:')
  })
})

describe('SIGTERM', () => {
  test.each(['serve', 'work'])('ends %s in order, also while it still waits for Redis', async (command) => {
    const redis = new URL((await testRedis()).url)
    const asked = Promise.withResolvers<void>()
    // Says nothing until the signal is on its way.
    const slow = createServer(async (socket) => {
      socket.on('error', () => {})
      await asked.promise
      const there = connect(Number(redis.port), redis.hostname).on('error', () => socket.destroy())
      socket.pipe(there).pipe(socket)
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void slow.close())
    await once(slow, 'listening')
    const settings = {
      REDIS_URL: `redis://127.0.0.1:${(slow.address() as AddressInfo).port}${redis.pathname}`,
      RELAY_API_TOKEN: TOKEN,
      OPS_PASSWORD: 'ops-password',
      PORT: '0',
      WORKER_PORT: '0',
    }
    const program = startProgram(NODE, [LAUNCHER, command], { env: settings })
    await once(slow, 'connection')
    program.kill('SIGTERM')
    asked.resolve()
    expect([await program.end(), program.stderr]).toEqual([0, ''])
  })
})

// The documents say what the code does: every command is run by a test or says why not, every name exists, tables and
// diagrams are those of the code.
import { existsSync, globSync } from 'node:fs'
import path from 'node:path'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { loadSettings, SETTING_NAMES } from '../../shared/config.ts'
import { STATES } from '../../shared/ledger/promotion-record.ts'
import { secretFromValue } from '../../shared/secret.ts'
import { tellHowToPromote } from '../../standalone/announce.ts'
import { inputsFor } from '../../worker/dispatch/inputs.ts'
import { OPTIONAL_INPUTS, outcomeOf } from '../../worker/dispatch/outcome.ts'
import { createLedgerMetrics } from '../../worker/ops/ledger-metrics.ts'
import { createRegistryFigures, createServerMetrics } from '../../worker/ops/server-metrics.ts'
import { createWorkerMetrics, PREFIX } from '../../worker/ops/worker-metrics.ts'
import { PAUSES } from '../../worker/pauses.ts'
import { LOOKS_NEEDED } from '../../worker/resolve/resolver.ts'
import { CLOSE_WITHIN_MS, TOLD_PAUSES } from '../../worker/run-worker.ts'
import { pauseMs } from '../../worker/track/consume.ts'
import { blockOf, blocksOf, codeSpansIn, DOCS, EXAMPLES, proseOf, tableOf, textOf } from '../support/docs.ts'
import { KEYS_DESCRIBED } from '../support/keys-described.ts'
import { ROOT } from '../support/up.ts'

const QUICK_START = 'docs/QUICK_START_CT_CD.md'
const INTEGRATION = 'docs/CT_CD_INTEGRATION.md'
const PRODUCTION = 'docs/PRODUCTION.md'

const shellBlocks = DOCS.flatMap(blocksOf).filter(({ language }) => language === 'sh')
/** All code of a document, spans and blocks. */
const codeOf = (file: string) => [...codeSpansIn(proseOf(file)), ...blocksOf(file).map(({ text }) => text)]
const everyCode = DOCS.flatMap((file) => codeOf(file).map((code) => ({ file, code })))

describe('every command is run by a test, or says why not', () => {
  /** Blocks of the README, by their first line: the test that runs them. */
  const RUN_BY: Record<string, [file: string, title: string]> = {
    'npm ci && npm start': [
      'test/e2e/up.test.ts',
      'prints the timeline of a sample promotion step by step to deployed',
    ],
    'npx promotion-relay promote --model fraud-detector --version 5 --accuracy 0.9234 --wait': [
      'test/e2e/up.test.ts',
      'the npx line that it prints promotes from another terminal, and shows each step to deployed',
    ],
    'curl -X POST http://127.0.0.1:8080/v1/promotions \\': [
      'test/e2e/up.test.ts',
      'the curl line that it prints promotes, as it stands',
    ],
    'docker compose --env-file deploy/demo.env up --detach': [
      'test/containers/compose.test.ts',
      "the README's commands bring everything up, and a promotion through",
    ],
    // It runs all of them.
    'npm ci && npm test': ['test/unit/docs.test.ts', 'every command is run by a test, or says why not'],
  }
  const NOT_RUN = /^# not run by a test(?: as it stands)?: \S/
  const runner = textOf('test/e2e/docs.test.ts')

  test.each(shellBlocks.map((block) => [`${block.file}:${block.line}`, block] as const))('%s', (_, block) => {
    if (NOT_RUN.test(block.text)) return
    if (block.label !== undefined) {
      expect(runner).toContain(`blockOf('${block.file}', '${block.label}')`)
      expect(blockOf(block.file, block.label)).toBe(block.text)
      return
    }
    const [file, title] = RUN_BY[block.text.split('\n')[0] ?? ''] ?? []
    expect([file, title]).not.toContain(undefined)
    expect(textOf(file ?? '')).toMatch(new RegExp(`(describe|test)\\((['"])${title}\\2,`))
  })

  test('those of the README are the lines that npm start prints, which its test runs', () => {
    const printed: string[] = []
    const loaded = loadSettings({}, [])
    if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
    tellHowToPromote({
      print: (line) => printed.push(line.trim()),
      terminal: true,
      simulated: true,
      settings: loaded.settings,
      dataDir: '.relay',
      dataDirIsSet: false,
      url: 'http://127.0.0.1:8080',
      apiToken: secretFromValue('RELAY_API_TOKEN', ''),
      opsPassword: secretFromValue('OPS_PASSWORD', ''),
    })
    const commands = printed.filter((line) => /^(npx|curl|-H|-d) /.test(line))
    expect(commands).toHaveLength(4)
    const lines = blocksOf('README.md').flatMap(({ text }) => text.split('\n').map((line) => line.trim()))
    for (const command of commands) expect(lines).toContain(command)
  })
})

describe('every example is run by the tests that its index names', () => {
  const RUNNERS: Record<string, string> = {
    'npm test': 'test/e2e/examples.test.ts',
    'npm run e2e:ct': 'test/ct/examples.test.ts',
  }
  const rows = tableOf('docs/examples/README.md', 'example')

  test.each(EXAMPLES)('%s', (name) => {
    const [, , by = ''] = rows.find(([link]) => link === `[${name}](${name})`) ?? []
    const runner = RUNNERS[codeSpansIn(by)[0] ?? '']
    expect(runner && textOf(runner)).toContain(`exampleOf('${name}')`)
  })

  test('and the index has no others', () => {
    expect(rows).toHaveLength(EXAMPLES.length)
  })
})

describe('every name exists', () => {
  test('links and anchors', () => {
    const dead = DOCS.flatMap((file) =>
      [...proseOf(file).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) => {
        if (/^https?:/.test(target)) return []
        const [where = '', anchor] = target.split('#')
        const linked = where === '' ? file : path.join(path.dirname(file), where)
        const there = existsSync(path.join(ROOT, linked)) && (!anchor || anchorsOf(linked).includes(anchor))
        return there ? [] : `${file}: ${target}`
      }),
    )
    expect(dead).toEqual([])
  })

  test('settings', () => {
    const secrets = ['GITHUB_TOKEN', 'GITHUB_APP_PRIVATE_KEY', 'REDIS_URL', 'RELAY_API_TOKEN', 'OPS_PASSWORD']
    // Of the command line and of the Python client.
    const producers = ['RELAY_URL', 'SPOOL_DIR']
    const known = [...SETTING_NAMES, ...secrets.map((name) => `${name}_FILE`), ...producers, 'NAME_FILE']
    // What the blocks are given by whoever runs them.
    const variables = ['PROMOTION_ID', 'RUN_ID', 'NEW_TOKEN', 'NEW_PASSWORD']
    const named = everyCode.flatMap(({ file, code }) =>
      [...code.matchAll(/\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b/g)].map(([name]) => ({ file, name })),
    )
    expect(named.length).toBeGreaterThan(100)
    expect(named.filter(({ name }) => ![...known, ...variables].includes(name))).toEqual([])
  })

  test('commands and their flags', () => {
    /** Of the chaos harness and of compose. */
    const OTHERS = ['--help', '--env-file']
    const cli = ['cli.ts', ...globSync('standalone/commands/*.ts', { cwd: ROOT })].map(textOf).join('\n')
    const commands = [...cli.matchAll(/(?:\.c|targetC|orderC)ommand\(\s*'([a-z-]+)'/g)].map(
      ([, name = '']) => name,
    )
    const scripts = Object.keys(JSON.parse(textOf('package.json')).scripts)
    const spans = DOCS.flatMap((file) => codeSpansIn(proseOf(file)).map((code) => ({ file, code })))
    const typed = [...spans, ...shellBlocks.map(({ file, text }) => ({ file, code: text }))]
    const missing = typed.flatMap(({ file, code }) => {
      const ours = [...code.matchAll(/(?<![\w.])promotion-relay ([a-z-]+)(.*)/g)]
      const unknown = [
        ...ours.map(([, name = '']) => name).filter((name) => !commands.includes(name)),
        ...[...code.matchAll(/npm run ([\w:]+)/g)]
          .map(([, name = '']) => name)
          .filter((name) => !scripts.includes(name)),
        ...ours.flatMap(([, , rest = '']) => flagsIn(rest)).filter((flag) => !cli.includes(`'${flag}`)),
        ...(code.startsWith('--') ? flagsIn(code) : []).filter((flag) => !cli.includes(`'${flag}`)),
      ].filter((name) => !OTHERS.includes(name))
      return unknown.map((name) => `${file}: ${name}`)
    })
    expect(missing).toEqual([])
  })

  test('metrics', async () => {
    const registry = new Registry()
    createWorkerMetrics(registry)
    createServerMetrics(registry, [])
    createRegistryFigures(registry, [])
    createLedgerMetrics({
      registry,
      reader: {} as never,
      queues: [],
      warnings: async () => [],
      targetLabels: true,
    })
    const known = registry.getMetricsAsArray().map(({ name }) => name)
    const named = everyCode.flatMap(({ file, code }) => {
      const grepped = [...code.matchAll(/promotion_relay_\(([^)]+)\)/g)].flatMap(([, names = '']) =>
        names.split('|'),
      )
      const whole = [...code.matchAll(/promotion_relay_([a-z_]+)/g)].map(([, name = '']) => name)
      return [...grepped, ...whole].map((name) => ({ file, name }))
    })
    const inTable = tableOf('README.md', 'metric `promotion_relay_…`').flatMap(([names = '']) =>
      codeSpansIn(names)
        .filter((name) => !name.startsWith('…'))
        .map((name) => ({ file: 'README.md', name: /^[a-z_]+/.exec(name)?.[0] ?? name })),
    )
    expect(named.length).toBeGreaterThan(8)
    expect(inTable.length).toBeGreaterThan(8)
    expect([...named, ...inTable].filter(({ name }) => !known.includes(PREFIX + name))).toEqual([])
  })

  test('sentences that tell what somebody sees', () => {
    const sources = globSync(
      ['cli.ts', '{shared,standalone,worker,producer,test/github-simulator}/**/*.{ts,lua}'],
      {
        cwd: ROOT,
      },
    )
    const said = sources.map(textOf).join('\n')
    const seen = [QUICK_START, INTEGRATION]
      .flatMap((file) => tableOf(file, 'you see'))
      .flatMap(([cell = '']) => codeSpansIn(cell))
      .filter((code) => code.split(' ').length > 2 && !code.startsWith('promotion-relay '))
    expect(seen.length).toBeGreaterThan(25)
    const pieces = (sentence: string) => sentence.split(/…|: |\(|\)|GitHub answered \d+/)
    // Also where the last word is one that is put in: `its run is ${…}`.
    const isSaid = (piece: string) =>
      piece.length < 4 || said.includes(piece) || said.includes(piece.replace(/\S+$/, '${'))
    const unsaid = seen.filter((sentence) => !pieces(sentence).every((piece) => isSaid(piece.trim())))
    expect(unsaid).toEqual([])
  })
})

describe('what is told is what the code does', () => {
  // The other way round, each test that leaves a key looks for it there.
  test('every key of keys.md is named by the code', () => {
    const code = globSync('{shared,producer,worker,standalone}/**/*.{ts,lua}', { cwd: ROOT }).map(textOf)
    const names = KEYS_DESCRIBED.map((key) => key.split(':')[0] ?? '')
    const unknown = names.filter((name) => {
      const named = new RegExp(`['}]:?${name}(['\`]|:\\$)`)
      return !code.some((text) => named.test(text))
    })
    expect(unknown).toEqual([])
  })

  test('the diagram of states has the edges of the ledger, no more and no fewer', () => {
    const prelude = textOf('shared/ledger/scripts/prelude.lua')
    const table = /local MAY_BECOME = \{\n([\s\S]*?)\n\}/.exec(prelude)?.[1] ?? ''
    const allowed = [...table.matchAll(/(\w+) = \{(.*)\}/g)].flatMap(([, from, to = '']) =>
      [...to.matchAll(/(\w+) = true/g)].map(([, state]) => `${from} --> ${state}`),
    )
    const terminal = /local TERMINAL = \{(.*)\}/.exec(prelude)?.[1] ?? ''
    const ends = [...terminal.matchAll(/(\w+) = true/g)].map(([, state]) => `${state} --> [*]`)
    const diagram = blocksOf(INTEGRATION).find(({ text }) => text.startsWith('stateDiagram-v2'))
    const drawn = [...(diagram?.text ?? '').matchAll(/^ *(\S+) --> ([\w[\]*]+)/gm)].map(
      ([, from, to]) => `${from} --> ${to}`,
    )
    expect(drawn.length).toBeGreaterThan(20)
    expect(drawn.toSorted()).toEqual(['[*] --> accepted', ...allowed, ...ends].toSorted())
  })

  test('the table of states has each of them', () => {
    const named = tableOf(INTEGRATION, 'state').flatMap(([cell = '']) => codeSpansIn(cell))
    expect(named.toSorted()).toEqual([...STATES].toSorted())
  })

  test("the table of GitHub's answers is the table of outcomes", () => {
    const rows = tableOf(INTEGRATION, "GitHub's answer")
    expect(rows.length).toBeGreaterThan(15)
    const inputs = ['model_version', 'model_accuracy', 'trigger_source', ...OPTIONAL_INPUTS]
    const sent = { inputs, runDetails: true, apiVersion: true, nowMs: 0 }
    for (const [cell = '', told = ''] of rows) {
      const [status = '', message = ''] = codeSpansIn(cell)
      const body = status === '200' ? { workflow_run_id: 1 } : { message }
      const outcome = outcomeOf({ kind: 'answered', status: Number(status), body, headers: {} }, sent)
      expect([cell, `\`${outcome.kind}\``]).toEqual([cell, told])
    }
  })

  test('the inputs of a workflow are those that are sent', () => {
    const sent = Object.keys(inputsFor({} as never))
    const rows = tableOf(INTEGRATION, 'input')
    expect(rows.flatMap(([name = '']) => codeSpansIn(name))).toEqual(sent)
    const optional = rows.filter(([, , when = '']) => when.startsWith('left out'))
    expect(optional.flatMap(([name = '']) => codeSpansIn(name))).toEqual(OPTIONAL_INPUTS)
    const workflow = blocksOf(INTEGRATION).find(({ language }) => language === 'yaml')
    expect([...(workflow?.text ?? '').matchAll(/^ {6}(\w+):/gm)].map(([, name]) => name)).toEqual(sent)
  })

  test('the table of settings has each of them with its default', () => {
    const loaded = loadSettings({}, [])
    if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
    const defaults = loaded.settings as Record<string, unknown>
    const told = tableOf(INTEGRATION, 'setting').flatMap(([names = '', value = '']) =>
      codeSpansIn(names).map((name) => [name, codeSpansIn(value)[0] ?? '']),
    )
    const real = SETTING_NAMES.map((name) => [name, String(defaults[name] ?? '')])
    expect(told.toSorted()).toEqual(real.toSorted())
  })

  test('the times are those of the code', () => {
    const integration = textOf(INTEGRATION)
    const production = textOf(PRODUCTION)
    const seconds = (ms: number) => `${ms / 1000} s`
    const { sendDeadlineMs, dispatchTimeoutMs, resolveMs, uncertainMs, lockMs, stalledCheckMs } = PAUSES
    expect(integration).toContain(`send deadline ${seconds(sendDeadlineMs)}`)
    expect(integration).toContain(`limit of the POST ${seconds(dispatchTimeoutMs)}`)
    expect(integration).toContain(`when ${seconds(sendDeadlineMs + dispatchTimeoutMs + 120_000)} have passed`)
    expect(integration).toContain(`runs every ${seconds(resolveMs)}`)
    expect(LOOKS_NEEDED).toBe(3)
    expect(Math.max(uncertainMs, lockMs + stalledCheckMs)).toBe(90_000)
    expect(production).toContain(`${seconds(CLOSE_WITHIN_MS)} at the most`)
    expect([integration, production].every((text) => /five\s+minutes/.test(text))).toBe(true)
    expect(5_000 * TOLD_PAUSES).toBe(5 * 60_000)
    const looks = (intervalMs: number, withinMs: number) => {
      let [at, count] = [intervalMs, 0]
      while (at < withinMs) at += pauseMs(intervalMs, ++count)
      return count
    }
    expect(looks(5_000, 600_000)).toBe(16)
    expect(looks(15_000, 600_000)).toBe(9)
  })
})

/** As GitHub makes them of headings. */
function anchorsOf(file: string): string[] {
  return [...proseOf(file).matchAll(/^#+ +(.*)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

function flagsIn(text: string): string[] {
  return [...text.matchAll(/(?<=^|\s)--[a-z-]+/g)].map(([flag]) => flag)
}

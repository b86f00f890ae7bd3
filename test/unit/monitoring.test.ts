// What is watched: every figure that a rule or a panel names is in a scrape, each alert has its section in the runbook,
// the rules do what their own tests say, and the dashboard can be read.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import path from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { loadSettings } from '../../shared/config.ts'
import { silentLogger } from '../../shared/logger.ts'
import { createRedactor } from '../../shared/redact.ts'
import { work } from '../../standalone/work.ts'
import { WINDOWS } from '../../worker/ops/ledger-metrics.ts'
import { setup } from '../integration/http-setup.ts'
import { codeSpansIn, tableOf, textOf } from '../support/docs.ts'
import { testRedis } from '../support/test-redis.ts'
import { ROOT } from '../support/up.ts'

const RULES = 'deploy/prometheus/rules.yml'
const DASHBOARD = 'deploy/grafana/dashboards/promotion-relay.json'

interface Rule {
  record?: string
  alert?: string
  expr: string
  for?: string
  labels?: Record<string, string>
  annotations?: Record<string, string>
}

interface Panel {
  id: number
  type: string
  title: string
  description?: string
  gridPos: { x: number; y: number; w: number; h: number }
  datasource?: { uid: string }
  fieldConfig?: { defaults: { unit?: string } }
  targets?: { expr: string; legendFormat: string; datasource: { uid: string } }[]
}

const rules: Rule[] = parse(textOf(RULES)).groups.flatMap(({ rules }: { rules: Rule[] }) => rules)
const alerts = rules.filter(({ alert }) => alert !== undefined)
const dashboard: { uid: string; panels: Panel[] } = JSON.parse(textOf(DASHBOARD))
const panels = dashboard.panels.filter(({ type }) => type !== 'row')
const expressions = [
  ...rules.map(({ alert, record, expr }) => ({ where: alert ?? record ?? '', expr })),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, expr }))),
]

/** The lines of `/metrics` of a server and of a worker, as Prometheus gets them. */
async function scrape(): Promise<string[]> {
  const { url: redisUrl } = await testRedis()
  // Nobody listens there: its figures are shown all the same.
  const registry = { MLFLOW_ALIASES: 'champion=production', MLFLOW_TRACKING_URI: 'http://127.0.0.1:1' }
  const api = await setup({ redisUrl, env: { METRICS_TARGET_LABELS: 'true', ...registry } })
  const loaded = loadSettings({ WORKER_PORT: '0' }, [])
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  const worker = await work({
    redisUrl,
    settings: loaded.settings,
    redact: createRedactor([]),
    log: silentLogger,
    name: 'scraped',
    onStuck: () => {},
  })
  try {
    const pages = await Promise.all([api.url, worker.url].map((url) => fetch(`${url}/metrics`)))
    const texts = await Promise.all(pages.map((page) => page.text()))
    return texts.flatMap((text) => text.split('\n'))
  } finally {
    await worker.close()
  }
}

test('every figure that a rule or a panel names is in a scrape, with the label that it asks for', async () => {
  const lines = await scrape()
  const types = new Map(
    lines.flatMap((line) => {
      const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? []
      return name ? [[name, type] as const] : []
    }),
  )
  const isShown = (name: string) => {
    const [, histogram] = /^(.+)_(?:bucket|count|sum)$/.exec(name) ?? []
    return histogram
      ? types.get(histogram) === 'histogram'
      : types.has(name) && types.get(name) !== 'histogram'
  }
  const recorded = rules.map(({ record }) => record)
  const named = expressions.flatMap(({ where, expr }) =>
    [...expr.matchAll(/promotion_relay[\w:]+/g)].map(([name]) => ({ where, name })),
  )
  expect(named.length).toBeGreaterThan(60)
  expect(named.filter(({ name }) => !recorded.includes(name) && !isShown(name))).toEqual([])

  const windows = expressions.flatMap(({ expr }) => [...expr.matchAll(/window="(\w+)"/g)].map(([, w]) => w))
  expect(windows.length).toBeGreaterThan(10)
  expect(windows.filter((window) => !Object.keys(WINDOWS).includes(window ?? ''))).toEqual([])
  const results = expressions.flatMap(({ expr }) =>
    [...expr.matchAll(/result="\w+"/g)].map(([label]) => label),
  )
  for (const result of results) expect(lines.join('\n')).toContain(result)
  // The bound of the latency's objective is a bucket.
  const bounds = expressions.flatMap(({ expr }) => [...expr.matchAll(/(\w+_bucket)\{le=~"(\d+)/g)])
  expect(bounds).not.toEqual([])
  for (const [, name, bound] of bounds) expect(lines).toContain(`${name}{le="${bound}"} 0`)
})

test('what an expression in a recorded name stands for is recorded before it', () => {
  for (const [i, { expr }] of rules.entries()) {
    const used = [...expr.matchAll(/promotion_relay:[\w:]+/g)].map(([name]) => name)
    const before = rules.slice(0, i).map(({ record }) => record)
    expect(used.filter((name) => !before.includes(name))).toEqual([])
  }
})

test('each alert says what is wrong, how bad it is, what to do, and leads to its section in the runbook', () => {
  expect(alerts.length).toBeGreaterThan(12)
  for (const { alert = '', labels, annotations = {}, for: lasting } of alerts) {
    expect(alert).toMatch(/^PromotionRelay[A-Z]/)
    expect([alert, labels?.severity]).toEqual([alert, expect.stringMatching(/^(critical|warning)$/)])
    expect([alert, lasting]).toEqual([alert, expect.stringMatching(/^\d+[mh]$/)])
    expect(annotations.summary?.length).toBeGreaterThan(10)
    expect(annotations.description?.length).toBeGreaterThan(40)
    expect(annotations.runbook_url).toBe(`docs/RUNBOOK.md#${alert.toLowerCase()}`)
  }
})

test('the runbook has a section for each alert, no more and no fewer, that says what it means and what to do', () => {
  const [, ...sections] = textOf('docs/RUNBOOK.md').split(/^## (?=PromotionRelay)/m)
  const titles = sections.map((section) => section.split('\n')[0])
  expect(titles.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted())
  for (const section of sections) {
    expect(section).toContain('**Means.**')
    expect(section).toMatch(/\*\*Do\.\*\*|\*\*do\*\*/)
  }
})

test('the runbook says what to do for each reason of a circuit, and for each wait', () => {
  const words = (file: string, type: string) => {
    const [, union = ''] = new RegExp(`type ${type} =([^;]*?)\\n(?:\\n|export)`).exec(textOf(file)) ?? []
    return [...union.matchAll(/'(\w+)'/g)].map(([, word = '']) => word)
  }
  const outcomes = 'worker/dispatch/outcome.ts'
  const reasons = [...words(outcomes, 'WorkflowFault'), ...words(outcomes, 'RepositoryFault')]
  const told = (header: string) =>
    tableOf('docs/RUNBOOK.md', header).flatMap(([cell = '']) => codeSpansIn(cell))
  expect(told('`reason`').toSorted()).toEqual([...reasons, 'throttled', 'outage'].toSorted())
  const waits = words('shared/ledger/promotion-record.ts', 'WaitCode')
  expect(told('it waits for').toSorted()).toEqual(waits.toSorted())
})

test('each panel of the dashboard has a title, a unit, a word for newcomers and a query; none lies on another', () => {
  expect(panels.length).toBeGreaterThan(15)
  expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length)
  const source = parse(textOf('deploy/grafana/provisioning/datasources/prometheus.yml')).datasources[0].uid
  for (const { title, description, fieldConfig, targets = [], datasource } of panels) {
    expect(title).not.toBe('')
    expect([title, description?.length]).toEqual([title, expect.toSatisfy((length) => length > 10)])
    expect([title, fieldConfig?.defaults.unit]).toEqual([title, expect.stringMatching(/^\w+$/)])
    expect([title, targets.length > 0, datasource?.uid]).toEqual([title, true, source])
    for (const one of targets) expect(one.datasource.uid).toBe(source)
  }
  const cells = dashboard.panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  )
  expect(new Set(cells).size).toBe(cells.length)
  expect(Math.max(...cells.map((cell) => Number.parseInt(cell, 10)))).toBeLessThan(24)
})

test('compose brings Prometheus and Grafana with what is here, for this machine alone, and only when asked to', () => {
  const { services } = parse(textOf('docker-compose.yml'), { merge: true })
  const { prometheus, grafana } = services
  const scraped = parse(textOf('deploy/prometheus/prometheus.yml'))
  for (const one of [prometheus, grafana]) {
    expect(one.profiles).toEqual(['monitoring'])
    expect(one.image).toMatch(/:v?\d+\.\d+\.\d+$/)
    for (const port of one.ports) expect(port).toMatch(/^127\.0\.0\.1:/)
    const mounts = one.volumes.map((volume: string) => volume.split(':')[0])
    for (const file of mounts.filter((mount: string) => mount.startsWith('./')))
      expect([file, existsSync(path.join(ROOT, file))]).toEqual([file, true])
  }
  const jobs = scraped.scrape_configs.map(({ job_name }: { job_name: string }) => job_name)
  const asked = expressions.flatMap(({ expr }) => [...expr.matchAll(/job="([^"]+)"/g)].map(([, job]) => job))
  expect(asked.filter((job) => !jobs.includes(job))).toEqual([])
  const named = [
    ...scraped.scrape_configs[0].static_configs[0].targets.map((target: string) => target.split(':')[0]),
    ...scraped.scrape_configs[1].dns_sd_configs[0].names,
  ]
  expect(named).toEqual(['server', 'worker'])
  expect(Object.keys(services)).toEqual(expect.arrayContaining(named))
})

const promtool = (process.env.PATH ?? '')
  .split(':')
  .map((dir) => path.join(dir, 'promtool'))
  .find((file) => existsSync(file))
const run = promisify(execFile)

test.skipIf(!promtool)(
  'promtool (from the package prometheus) reads the rules and the configuration',
  async () => {
    await run(promtool ?? '', ['check', 'rules', path.join(ROOT, RULES)])
    await run(promtool ?? '', ['check', 'config', path.join(ROOT, 'deploy/prometheus/prometheus.yml')])
  },
)

test.skipIf(!promtool)(
  'promtool (from the package prometheus) finds each alert told when it is to be told, and silent else',
  async () => {
    const tests = 'deploy/prometheus/rules.test.yml'
    await run(promtool ?? '', ['test', 'rules', path.join(ROOT, tests)])
    const text = textOf(tests)
    for (const { alert } of alerts) expect(text).toContain(`alertname="${alert}"`)
  },
  120_000,
)

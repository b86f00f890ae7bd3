/**
 * A picture of the dashboard with data: a relay at work on the simulator, a Prometheus that scrapes it and evaluates the
 * rules, and each panel's own query, drawn in the panel's place. It shows that every panel has something to show; in
 * Grafana it looks as Grafana draws it. Needs `prometheus` (Debian's) and Chromium on PATH.
 *
 *   npm run picture:dashboard [-- --seconds 90]
 */
import { once } from 'node:events'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { findChromium, NO_CHROMIUM, openBrowser } from '../support/browser.ts'
import { until } from '../support/until.ts'
import { type Drawn, pageOf, type Series } from './panels.ts'
import { openStage, type Relay, ROOT, startRelay } from './stage.ts'

const PICTURE = join(ROOT, 'docs/pictures/dashboard.png')
const MODELS = ['fraud-detector', 'churn', 'pricing', 'ranking', 'search', 'vision']
const WIDTH_PX = 1_440

const { values } = parseArgs({ options: { seconds: { type: 'string', default: '90' } } })
const chromium = findChromium()
if (!chromium) throw new Error(NO_CHROMIUM)

const stage = openStage()
const { home, undo, start } = stage
try {
  const relay = await startRelay(stage, { METRICS_TARGET_LABELS: 'true', ROLLBACK_ON_FAILURE: 'true' })
  const prometheus = await startPrometheus(new URL(relay.url).host)
  await work(relay, Number(values.seconds) * 1000)
  const panels = JSON.parse(
    readFileSync(join(ROOT, 'deploy/grafana/dashboards/promotion-relay.json'), 'utf8'),
  ).panels
  const drawn: Drawn[] = await Promise.all(
    // biome-ignore lint/suspicious/noExplicitAny: Grafana's own form
    panels.map(async ({ targets = [], ...panel }: any) => {
      const found = await Promise.all(
        targets.map(({ expr, legendFormat }: { expr: string; legendFormat: string }) =>
          seriesOf(prometheus, expr, legendFormat, Number(values.seconds)),
        ),
      )
      return { ...panel, series: found.flat() }
    }),
  )
  const browser = await openBrowser(chromium, (end) => void undo.push(end))
  const page = await browser.newPage({ viewport: { width: WIDTH_PX, height: 900 } })
  await page.setContent(pageOf(drawn, WIDTH_PX))
  await page.screenshot({ path: PICTURE, fullPage: true })
  process.stdout.write(`${PICTURE}\n`)
  for (const { title, series, type } of drawn)
    if (type !== 'row' && series.length === 0) process.stdout.write(`nothing to show: ${title}\n`)
} finally {
  await stage.close()
}

/** @returns its address */
async function startPrometheus(target: string): Promise<string> {
  copyFileSync(join(ROOT, 'deploy/prometheus/rules.yml'), join(home, 'rules.yml'))
  const config = {
    global: { scrape_interval: '1s', evaluation_interval: '2s' },
    rule_files: ['rules.yml'],
    // `up` shows the figures of a server and of a worker in one place.
    scrape_configs: [{ job_name: 'promotion-relay-server', static_configs: [{ targets: [target] }] }],
  }
  writeFileSync(join(home, 'prometheus.json'), JSON.stringify(config))
  const port = await freePort()
  start('prometheus', [
    `--config.file=${join(home, 'prometheus.json')}`,
    `--storage.tsdb.path=${join(home, 'prometheus')}`,
    `--web.listen-address=127.0.0.1:${port}`,
    '--log.level=error',
  ])
  const url = `http://127.0.0.1:${port}`
  await until(
    'Prometheus is ready',
    async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok,
    20_000,
  )
  return url
}

/** Promotions of several models; now and then a run fails, or GitHub answers 503. */
async function work({ url, simulator, token }: Relay, forMs: number): Promise<void> {
  const steer = (what: string, body: object) =>
    fetch(`${simulator}/_simulator/${what}`, { method: 'POST', body: JSON.stringify(body) })
  await steer('life', { queuedMs: 300, runMs: 1_500 })
  const over = Date.now() + forMs
  for (let n = 1; Date.now() < over; n++) {
    await steer('life', { conclusion: n % 11 === 7 ? 'failure' : 'success' })
    if (n % 17 === 5) await steer('faults', { kind: 'status-before', status: 503 })
    await fetch(`${url}/v1/promotions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ model: MODELS[n % MODELS.length], version: String(n), accuracy: 0.9 }),
    })
    await pause(900)
  }
}

async function seriesOf(
  prometheus: string,
  expr: string,
  legend: string,
  seconds: number,
): Promise<Series[]> {
  const now = Date.now() / 1000
  const query = new URLSearchParams({
    query: expr,
    start: String(now - seconds),
    end: String(now),
    step: '1',
  })
  const answer = await fetch(`${prometheus}/api/v1/query_range?${query}`)
  const { data, error } = (await answer.json()) as {
    data?: { result: { metric: Record<string, string>; values: [number, string][] }[] }
    error?: string
  }
  if (!data) throw new Error(`${expr}: ${error}`)
  return data.result
    .map(({ metric, values: points }) => ({
      name:
        legend.replaceAll(/\{\{ *(\w+) *\}\}/g, (_, label: string) => metric[label] ?? '') ||
        (metric.alertname ?? ''),
      labels: metric,
      points: points
        .map(([at, value]) => [at, Number(value)] as const)
        .filter(([, value]) => Number.isFinite(value)),
    }))
    .filter(({ points }) => points.length > 0)
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}

// The simulator as a program of its own: `node test/github-simulator/main.ts --port 4010`.
// Says on one line of stdout where it listens; ends on SIGTERM and SIGINT, and with its parent if asked to.
import { parseArgs } from 'node:util'
import { startSimulator, type WebhookConfig } from './simulator.ts'

const HELP = `Simulates GitHub's Actions API. Nothing it says is real.

  --port N              0 (default) takes any free port
  --host HOST           127.0.0.1
  --owner NAME          acme
  --repo NAME           models
  --workflow FILE       cd_pipeline.yml; may be given several times
  --ref NAME            main; may be given several times
  --no-run-name         runs don't carry their promotion id in display_title
  --needs-approval      each run waits for a reviewer: POST /_simulator/runs/ID/approve
  --mode github|ghes    github
  --token TOKEN         take this token only
  --queued-ms N         200
  --run-ms N            800
  --conclusion WORD     success
  --list-delay-ms N     0: how long a new run is missing from listings
  --get-delay-ms N      0: how long a new run is missing by its id
  --rate-limit N        5000 requests an hour
  --webhook-url URL     tell it of every run; GITHUB_WEBHOOK_SECRET in the environment signs what is sent
  --data-dir DIR        keep runs and log there, and find them again
  --exit-with-parent    end when stdin closes
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      port: { type: 'string' },
      host: { type: 'string' },
      owner: { type: 'string' },
      repo: { type: 'string' },
      workflow: { type: 'string', multiple: true, default: ['cd_pipeline.yml'] },
      ref: { type: 'string', multiple: true },
      'no-run-name': { type: 'boolean', default: false },
      'needs-approval': { type: 'boolean', default: false },
      mode: { type: 'string' },
      token: { type: 'string' },
      'queued-ms': { type: 'string' },
      'run-ms': { type: 'string' },
      conclusion: { type: 'string' },
      'list-delay-ms': { type: 'string' },
      'get-delay-ms': { type: 'string' },
      'rate-limit': { type: 'string' },
      'webhook-url': { type: 'string' },
      'data-dir': { type: 'string' },
      'exit-with-parent': { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(HELP)
    return
  }
  if (values.mode !== undefined && values.mode !== 'github' && values.mode !== 'ghes') {
    throw new Error(`--mode is github or ghes, not ${values.mode}`)
  }
  const simulator = await startSimulator({
    port: number('port', values.port),
    host: values.host,
    owner: values.owner,
    repo: values.repo,
    workflows: values.workflow.map((file) => ({
      file,
      refs: values.ref,
      runName: !values['no-run-name'],
      needsApproval: values['needs-approval'],
    })),
    mode: values.mode,
    token: values.token,
    queuedMs: number('queued-ms', values['queued-ms']),
    runMs: number('run-ms', values['run-ms']),
    conclusion: values.conclusion,
    listDelayMs: number('list-delay-ms', values['list-delay-ms']),
    getDelayMs: number('get-delay-ms', values['get-delay-ms']),
    rateLimit: number('rate-limit', values['rate-limit']),
    webhooks: webhooksAt(values['webhook-url']),
    dataDir: values['data-dir'],
  })

  async function end(): Promise<void> {
    process.stdin.destroy()
    await simulator.close()
  }
  process.once('SIGTERM', end)
  process.once('SIGINT', end)
  if (values['exit-with-parent']) {
    process.stdin.once('end', end)
    process.stdin.once('close', end)
    process.stdin.resume()
  }
  process.stdout.write(`${JSON.stringify({ simulator: 'listening', url: simulator.url })}\n`)
}

/** The secret is no flag: those can be read by everyone on the machine. */
function webhooksAt(url: string | undefined): WebhookConfig[] {
  return url === undefined ? [] : [{ url, secret: process.env.GITHUB_WEBHOOK_SECRET }]
}

function number(flag: string, text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (!/^\d+$/.test(text)) throw new Error(`--${flag} is a whole number, not ${text}`)
  return Number(text)
}

try {
  await main()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}

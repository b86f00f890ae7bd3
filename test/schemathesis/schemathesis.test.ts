// The API against its own description, by somebody else's program: schemathesis makes requests up, right ones and
// wrong ones, one after the other and in sequences, and looks at what is answered.
import { execFile } from 'node:child_process'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { setup, TOKEN } from '../integration/http-setup.ts'
import { startPrivateRedis } from '../support/private-redis.ts'
import { ROOT, temporaryDir } from '../support/up.ts'

const HERE = path.join(ROOT, 'test', 'schemathesis')
const RATE = { API_RATE_PER_MINUTE: '1000000' }

let schemathesis = process.env.SCHEMATHESIS ?? ''

beforeAll(async () => {
  if (schemathesis !== '') return
  const python = temporaryDir('python', afterAll)
  const run = promisify(execFile)
  await run('python3', ['-m', 'venv', python])
  await run(path.join(python, 'bin', 'pip'), ['install', '-q', '-r', path.join(HERE, 'requirements.txt')])
  schemathesis = path.join(python, 'bin', 'schemathesis')
}, 300_000)

/** @returns what it printed; its exit code is 0 where it found nothing. */
async function look(url: string, ...options: string[]): Promise<{ code: number; said: string }> {
  const args = ['--config-file', path.join(HERE, 'schemathesis.toml'), 'run', `${url}/openapi.json`]
  const token = ['--header', `Authorization: Bearer ${TOKEN}`]
  const cwd = temporaryDir('schemathesis')
  return new Promise((resolve) => {
    execFile(
      schemathesis,
      [...args, ...token, '--continue-on-failure', ...options],
      { cwd, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, NO_COLOR: '1' } },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), said: `${stdout}${stderr}` }),
    )
  })
}

test('schemathesis finds no fault of the server, and no answer outside the description', async () => {
  const api = await setup({ env: RATE })
  // The model of the examples is a target.
  await api.promote({ model: 'fraud-detector', version: '4' })
  // Of a promotion that was made just now there is no dead letter; that it can be read at once, other tests tell.
  const without = ['--exclude-checks', 'ensure_resource_availability']
  const { code, said } = await look(api.url, '--checks', 'all', ...without, '--max-time', '90')
  expect(code, said).toBe(0)
  expect(said).toMatch(/Tested: +23/)
}, 300_000)

test('nor while Redis is away: its 503 are described', async () => {
  const redis = await startPrivateRedis()
  onTestFinished(redis.stop)
  const api = await setup({ env: RATE, redisUrl: redis.url })
  await redis.kill()
  const checks = ['status_code', 'content_type', 'response_headers', 'response_schema']
  const { code, said } = await look(
    api.url,
    ...['--checks', checks.map((name) => `${name}_conformance`).join(','), '--max-time', '20'],
  )
  expect(code, said).toBe(0)
}, 300_000)

// docker-compose.yml and deploy/demo.env beside what they repeat of the program.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { SETTING_NAMES } from '../../shared/config.ts'
import { SIMULATED_REPOSITORY } from '../../standalone/simulator-process.ts'
import { CLOSE_WITHIN_MS } from '../../worker/run-worker.ts'

const textOf = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')
const compose = textOf('docker-compose.yml')
const demo = Object.fromEntries(
  textOf('deploy/demo.env')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
    .map((line) => line.split('=') as [string, string]),
)

/** The image's own, or of no use with one Redis and no `up`. */
const LEFT_OUT = ['HOST', 'WORKER_PORT', 'DATA_DIR', 'SPOOL_DIR', 'REDIS_WAIT_REPLICAS']

test('compose hands every setting on that is of use in it', () => {
  const handedOn = SETTING_NAMES.filter((name) => new RegExp(`^ +${name}:|\\{${name}[:}]`, 'm').test(compose))
  expect([...handedOn, ...LEFT_OUT].sort()).toEqual([...SETTING_NAMES].sort())
})

test('compose waits longer for a worker to end than a worker takes', () => {
  const [, seconds] = /stop_grace_period: (\d+)s/.exec(compose) ?? []
  expect(Number(seconds) * 1000).toBeGreaterThan(CLOSE_WITHIN_MS)
})

test('the demo is about the repository that is simulated, under a name of its own', () => {
  expect([demo.GITHUB_REPO_OWNER, demo.GITHUB_REPO_NAME]).toEqual(Object.values(SIMULATED_REPOSITORY))
  expect(compose).toContain(`--owner ${SIMULATED_REPOSITORY.owner} `)
  expect(demo.COMPOSE_PROJECT_NAME).toBe('promotion-relay-demo')
  const names = Object.keys(demo).filter((name) => !name.startsWith('COMPOSE_'))
  expect(names.filter((name) => !SETTING_NAMES.includes(name))).toEqual([])
})

// The settings of feedback: what goes together, in which form, and what of them is secret.
import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import { loadSettings, type Need, secretsOf } from '../../shared/config.ts'
import { createRedactor } from '../../shared/redact.ts'

const SECRET = `whsec_${randomBytes(24).toString('base64')}`
const OTHER = `whsec_${randomBytes(64).toString('base64')}`
const CHAT = 'https://hooks.slack.com/services/T0001/B0001/sentinel-0001'

function problemsOf(env: Record<string, string>, needs: Need[] = ['dispatch']): string[] {
  const loaded = loadSettings(env, needs)
  return loaded.ok ? [] : loaded.problems
}

function settingsOf(env: Record<string, string>) {
  const loaded = loadSettings(env, ['dispatch'])
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'))
  return loaded.settings
}

const MLFLOW = { MLFLOW_FEEDBACK: 'true', MLFLOW_TRACKING_URI: 'http://mlflow:5000/base/' }
const WEBHOOK = { FEEDBACK_WEBHOOK_URL: 'https://example.com/hook?a=b', FEEDBACK_WEBHOOK_SECRET: SECRET }

test('each sink by itself is enough', () => {
  for (const env of [MLFLOW, WEBHOOK, { CHAT_WEBHOOK_URL: CHAT }]) expect(problemsOf(env)).toEqual([])
  expect(settingsOf(MLFLOW).MLFLOW_TRACKING_URI).toBe('http://mlflow:5000/base')
  expect(problemsOf({ ...WEBHOOK, FEEDBACK_WEBHOOK_SECRET: `${SECRET},${OTHER}` })).toEqual([])
})

test.each<[string, Record<string, string>, string]>([
  [
    'MLflow without its address',
    { MLFLOW_FEEDBACK: 'on' },
    'MLFLOW_TRACKING_URI is missing: MLFLOW_FEEDBACK is on',
  ],
  [
    'a user without a password',
    { ...MLFLOW, MLFLOW_TRACKING_USERNAME: 'me' },
    'MLFLOW_TRACKING_PASSWORD is missing: MLFLOW_TRACKING_USERNAME is set',
  ],
  [
    'a password without a user',
    { ...MLFLOW, MLFLOW_TRACKING_PASSWORD: 'secret-word' },
    'MLFLOW_TRACKING_USERNAME is missing: MLFLOW_TRACKING_PASSWORD is set',
  ],
  [
    'a token and a password',
    {
      ...MLFLOW,
      MLFLOW_TRACKING_USERNAME: 'me',
      MLFLOW_TRACKING_PASSWORD: 'secret-word',
      MLFLOW_TRACKING_TOKEN: 'secret-token',
    },
    'MLFLOW_TRACKING_TOKEN and MLFLOW_TRACKING_PASSWORD are both set: use one',
  ],
  [
    'an MLflow that is no server',
    { ...MLFLOW, MLFLOW_TRACKING_URI: 'databricks' },
    'MLFLOW_TRACKING_URI must be an http(s) address',
  ],
  [
    'an alias that MLflow refuses',
    { ...MLFLOW, MLFLOW_DEPLOYED_ALIAS: 'live in {env}' },
    "MLFLOW_DEPLOYED_ALIAS may hold letters, digits, '_', '-' and {environment} only",
  ],
  [
    'an alias of MLflow’s own',
    { ...MLFLOW, MLFLOW_DEPLOYED_ALIAS: 'v5' },
    'MLFLOW_DEPLOYED_ALIAS is a name that MLflow keeps for itself',
  ],
  [
    'a webhook without a secret',
    { FEEDBACK_WEBHOOK_URL: 'https://example.com' },
    'FEEDBACK_WEBHOOK_SECRET is missing: FEEDBACK_WEBHOOK_URL is set',
  ],
  [
    'a secret without a webhook',
    { FEEDBACK_WEBHOOK_SECRET: SECRET },
    'FEEDBACK_WEBHOOK_URL is missing: FEEDBACK_WEBHOOK_SECRET is set',
  ],
  [
    'a webhook without TLS',
    { ...WEBHOOK, FEEDBACK_WEBHOOK_URL: 'http://example.com' },
    'FEEDBACK_WEBHOOK_URL must begin with https:// (or set FEEDBACK_ALLOW_PRIVATE)',
  ],
  [
    'a webhook with a user in it',
    { ...WEBHOOK, FEEDBACK_WEBHOOK_URL: 'https://me:word@example.com' },
    'FEEDBACK_WEBHOOK_URL must not hold a user or a fragment',
  ],
  [
    'a chat without TLS',
    { CHAT_WEBHOOK_URL: 'http://chat.example.com/hook' },
    'CHAT_WEBHOOK_URL must begin with https:// (or set FEEDBACK_ALLOW_PRIVATE)',
  ],
  [
    'a chat that is none',
    { CHAT_WEBHOOK_URL: '#deployments' },
    'CHAT_WEBHOOK_URL must be an http(s) address',
  ],
])('%s is a problem', (_, env, problem) => {
  expect(problemsOf(env)).toEqual([problem])
})

test.each([
  'no-prefix-in-front-of-it',
  'whsec_short',
  `whsec_${randomBytes(23).toString('base64')}`,
  `whsec_${randomBytes(65).toString('base64')}`,
  `${SECRET},`,
  `${SECRET},${OTHER},${SECRET}`,
  `${SECRET},not-one`,
])('a signing secret such as %s is refused, and not shown', (value) => {
  const problems = problemsOf({ ...WEBHOOK, FEEDBACK_WEBHOOK_SECRET: value })
  expect(problems).toEqual([expect.stringMatching(/^FEEDBACK_WEBHOOK_SECRET must be /)])
  expect(problems.join()).not.toContain(value)
})

test('inside a network of one’s own, http is allowed where that is said', () => {
  const env = { FEEDBACK_WEBHOOK_URL: 'http://10.0.0.1/', CHAT_WEBHOOK_URL: 'http://chat/hooks/0001' }
  expect(problemsOf({ ...WEBHOOK, ...env, FEEDBACK_ALLOW_PRIVATE: 'true' })).toEqual([])
})

test('settings of MLflow that others use on the same machine are passed over where nothing is told to it', () => {
  const others = {
    MLFLOW_TRACKING_URI: 'sqlite:///mlflow.db',
    MLFLOW_TRACKING_TOKEN: 'dapi',
    MLFLOW_TRACKING_PASSWORD: 'a b',
    MLFLOW_TRACKING_PASSWORD_FILE: '/nowhere',
  }
  for (const off of [{}, { MLFLOW_FEEDBACK: 'false' }]) {
    const settings = settingsOf({ ...others, ...off })
    expect([settings.MLFLOW_TRACKING_URI, settings.MLFLOW_TRACKING_TOKEN]).toEqual([undefined, undefined])
  }
})

test('who tells nobody asks for nothing: a server and a pipeline start with half of it', () => {
  expect(
    problemsOf({ FEEDBACK_WEBHOOK_URL: 'https://example.com', MLFLOW_FEEDBACK: 'true' }, ['redis']),
  ).toEqual([expect.stringMatching(/^REDIS_URL/)])
})

test('every secret is known to the redactor, whole and in its parts', () => {
  const settings = settingsOf({
    ...WEBHOOK,
    ...MLFLOW,
    FEEDBACK_WEBHOOK_SECRET: `${SECRET},${OTHER}`,
    CHAT_WEBHOOK_URL: CHAT,
    MLFLOW_TRACKING_USERNAME: 'me',
    MLFLOW_TRACKING_PASSWORD: 'sentinel-0002',
  })
  const redact = createRedactor(secretsOf(settings))
  const { pathname } = new URL(CHAT)
  const words = [SECRET, OTHER, SECRET.slice(6), OTHER.slice(6), CHAT, pathname, 'sentinel-0002']
  for (const word of words) expect(redact(`<${word}>`)).toBe('<[redacted]>')
  const logIn = Buffer.from('me:sentinel-0002').toString('base64')
  expect(redact(logIn)).toContain('[redacted]')
  expect(redact(`see ${settings.FEEDBACK_WEBHOOK_URL}`)).toBe(`see ${settings.FEEDBACK_WEBHOOK_URL}`)
})

test('of a short path of a chat no word is blanked out elsewhere', () => {
  const redact = createRedactor(secretsOf(settingsOf({ CHAT_WEBHOOK_URL: 'https://chat.example/webhook' })))
  expect(redact('GET /webhook')).toBe('GET /webhook')
  expect(redact('to https://chat.example/webhook')).toBe('to [redacted]')
})

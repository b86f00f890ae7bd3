// The server process of the chaos harness: the product's own `serve`, which takes webhooks. Says where it listens, and
// ends with the harness.
import { Registry } from 'prom-client'
import { loadSettings, secretsOf } from '../../shared/config.ts'
import { createLogger } from '../../shared/logger.ts'
import { createRedactor } from '../../shared/redact.ts'
import { serve } from '../../standalone/serve.ts'

export interface ServerArgument {
  /** As the product's settings are named. */
  env: Record<string, string>
}

const { env } = JSON.parse(process.argv[2] ?? '') as ServerArgument
process.once('disconnect', () => process.exit(0))

const loaded = loadSettings(env, ['redis', 'server'])
if (!loaded.ok) throw new Error(loaded.problems.join('; '))
const { settings } = loaded
const { RELAY_API_TOKEN: apiToken, OPS_PASSWORD: opsPassword } = settings
if (!apiToken || !opsPassword) throw new Error('no secrets')
const { url } = await serve({
  redisUrl: env.REDIS_URL ?? '',
  settings,
  apiToken,
  opsPassword,
  registry: new Registry(),
  log: createLogger({ level: settings.LOG_LEVEL, redact: createRedactor(secretsOf(settings)) }),
})
process.send?.(url)

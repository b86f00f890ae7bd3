/** The log-in of the pages for ops, as the settings have it. */
import type { Redis } from 'ioredis'
import type { Settings } from '../shared/config.ts'
import type { Audit } from '../shared/ledger/audit.ts'
import type { Logger } from '../shared/logger.ts'
import { type Secret, secretFromFile } from '../shared/secret.ts'
import { createLogIn, type LogIn } from '../worker/ops/log-in/log-in.ts'
import { createPeople } from '../worker/ops/log-in/people.ts'
import { createArrive } from '../worker/ops/log-in/proxy.ts'
import { createSessions } from '../worker/ops/log-in/sessions.ts'

export interface LogInOptions {
  settings: Settings
  /** Of `OPS_USER`; without one nobody has that name. */
  password: Secret | undefined
  redis: Redis
  audit: Audit
  simulated: boolean
  log: Logger
}

export function openLogIn({ settings, password, redis, audit, simulated, log }: LogInOptions): LogIn {
  const { OPS_USER: user, OPS_USERS_FILE: file } = settings
  const users = file === undefined ? undefined : secretFromFile('OPS_USERS_FILE', file)
  const people = createPeople({ user, password, users, log })
  const arrive = createArrive({
    trusted: settings.OPS_TRUSTED_PROXIES,
    userHeader: settings.OPS_PROXY_USER_HEADER,
    operators: settings.OPS_PROXY_OPERATORS,
  })
  return createLogIn({ people, sessions: createSessions({ redis, people }), arrive, audit, simulated, log })
}

/**
 * The HTTP way in: promotions are posted here and asked for, targets held and rolled back. A plugin for fastify, put
 * together from a file a route. Whatever is wrong with a request is answered as a problem, and nothing of it is queued.
 */
import type { FastifyError, FastifyInstance } from 'fastify'
import type { Accept } from '../../shared/accept.ts'
import type { Ask } from '../../shared/ask.ts'
import type { LedgerReader } from '../../shared/ledger/read.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Operate } from '../../shared/operate.ts'
import type { Secret } from '../../shared/secret.ts'
import type { SendSmokeTest } from '../../shared/smoke-test.ts'
import { createCallers } from './callers.ts'
import { gate } from './gate.ts'
import { listRoutes } from './list.ts'
import { operateRoutes } from './operate.ts'
import { promoteRoutes } from './promote.ts'
import { readRoute } from './read.ts'
import { sendError } from './request-errors.ts'
import { smokeTestRoute } from './smoke-test.ts'
import type { NotFound } from './unroutable.ts'

export interface ApiDeps {
  accept: Accept
  sendSmokeTest: SendSmokeTest
  reader: Pick<LedgerReader, 'promotion' | 'timeline'>
  ask: Ask
  /** May do everything. */
  token?: Secret | undefined
  /** The text of the file of named tokens. */
  tokens?: Secret | undefined
  /** Requests of one token, or of one address without any. */
  perMinute: number
  operate: Operate
  notFound: NotFound
  log: Logger
}

export async function api(app: FastifyInstance, deps: ApiDeps): Promise<void> {
  const { log, perMinute } = deps
  // JSON and nothing else. `__proto__` passes as an ordinary name here: the schema refuses it as an unknown field.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    app.getDefaultJsonParser('ignore', 'ignore'),
  )
  app.setErrorHandler((error: FastifyError, request, reply) => sendError(error, request, reply, deps))
  app.setNotFoundHandler(deps.notFound)
  await gate(app, { identify: createCallers(deps), perMinute, log })

  await promoteRoutes(app, deps)
  smokeTestRoute(app, deps)
  listRoutes(app, deps)
  readRoute(app, deps.reader)
  operateRoutes(app, deps)
}

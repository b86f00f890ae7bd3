/** What routes for webhooks share: the body as it came, since its signature is over raw bytes, and bounds on it. */
import type { FastifyError, FastifyInstance } from 'fastify'
import type { Logger } from '../../shared/logger.ts'
import { type Secret, secretsIn } from '../../shared/secret.ts'
import { sendProblem } from './problem.ts'

/** Bodies arrive as they are, whatever they say to be; what can't be read is answered as a problem. */
export function takeRawBodies(app: FastifyInstance, limitBytes: number, onUnreadable: () => void): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    '*',
    { parseAs: 'buffer', bodyLimit: limitBytes },
    (_request: unknown, body: Buffer, done: (error: null, body: Buffer) => void) => done(null, body),
  )
  app.setErrorHandler((error: FastifyError, _request, reply) => {
    onUnreadable()
    const tooLarge = error.code === 'FST_ERR_CTP_BODY_TOO_LARGE'
    const title = tooLarge
      ? `The body must be at most ${limitBytes / 1024} KiB`
      : 'The request can not be read'
    return sendProblem(reply, { status: tooLarge ? 413 : (error.statusCode ?? 400), title })
  })
}

export function rawBody(body: unknown): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0)
}

/** undefined while its file can't be read. */
export function readableSecrets(secret: Secret, log: Logger): string[] | undefined {
  try {
    return secretsIn(secret.read())
  } catch (err) {
    log.error({ err }, `${secret.name} can't be read: no webhook is taken`)
    return undefined
  }
}

/** A secret that was mistaken by the sender must be seen in the log, and must not fill it. */
export function warnNowAndThen(warn: () => void, everyMs = 60_000): () => void {
  let warnedAt = 0
  return () => {
    if (Date.now() - warnedAt < everyMs) return
    warnedAt = Date.now()
    warn()
  }
}

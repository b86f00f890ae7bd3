/** Forms as browsers send them: names and values, of a name that comes twice the last. */
import type { FastifyInstance } from 'fastify'

export type Form = Readonly<Record<string, string>>

const LARGEST_BYTES = 16 * 1024

/** For the routes of this scope: `request.body` is a `Form`. What is no form is answered with 415. */
export function takeForms(scope: FastifyInstance): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser(
    'application/x-www-form-urlencoded',
    { parseAs: 'string', bodyLimit: LARGEST_BYTES },
    (_request, body, done) =>
      done(
        null,
        Object.assign(Object.create(null), Object.fromEntries(new URLSearchParams(String(body)))) as Form,
      ),
  )
}

/** The description of the API, for machines and to be read. No token is needed: it says nothing of anybody's models. */
import type { FastifyInstance } from 'fastify'
import { createDocument } from './document.ts'
import { PAGE_SECURITY, pageOf } from './page.ts'

export async function openapiRoutes(app: FastifyInstance, { version }: { version: string }): Promise<void> {
  const document = createDocument(version)
  const [json, page] = [JSON.stringify(document), pageOf(document)]

  app.get('/openapi.json', async (_request, reply) => reply.type('application/json').send(json))

  app.get('/docs', async (_request, reply) =>
    reply
      .header('content-security-policy', PAGE_SECURITY)
      .header('x-content-type-options', 'nosniff')
      .header('referrer-policy', 'no-referrer')
      .type('text/html')
      .send(page),
  )
}

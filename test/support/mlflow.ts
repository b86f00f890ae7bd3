/**
 * MLflow's registry as far as the relay speaks to it: a small HTTP server that answers as MLflow 3.17 was seen to, and
 * sends its webhooks on demand. The real one is part of `npm run e2e:ct`.
 */
import { createHmac, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { listening } from './listening.ts'

interface Version {
  accuracy?: number | string
  stage?: string
  tags: Record<string, string>
}
interface Model {
  versions: Map<string, Version>
  aliases: Map<string, string>
}

/** What it answers in place of its own; nothing: its own. */
export type Instead = (path: string, query: URLSearchParams) => Promise<Strange | undefined>
interface Strange {
  status: number
  text: string
}

export type FakeMlflow = Awaited<ReturnType<typeof startMlflow>>

export async function startMlflow() {
  const models = new Map<string, Model>()
  const asked: { path: string; authorization: string | undefined }[] = []
  const written: { path: string; body: Record<string, string> }[] = []
  let isAway = false
  let instead: Instead = async () => undefined

  const modelNamed = (name: string): Model => {
    const model = models.get(name) ?? { versions: new Map(), aliases: new Map() }
    models.set(name, model)
    return model
  }
  const versionOf = (name: string, version: string) => {
    const found = models.get(name)?.versions.get(version)
    return found && { name, version, run_id: `run-${name}-${version}`, current_stage: found.stage ?? 'None' }
  }

  function answer(path: string, query: URLSearchParams): [status: number, body: object] {
    const given = (name: string) => query.get(name) ?? ''
    const filter = given('filter')
    const named = /name = (['"])(.*)\1$/.exec(filter)?.[2]
    const all = [...models].filter(([name]) => named === undefined || name === named)
    const from = Number(given('page_token') || 0)
    // Two a page, so that pages are turned.
    const page = <T>(found: T[], field: string) => ({
      [field]: found.slice(from, from + 2),
      ...(found.length > from + 2 ? { next_page_token: String(from + 2) } : {}),
    })
    switch (path) {
      case 'registered-models/search': {
        const found = all.map(([name, { versions, aliases }]) => ({
          name,
          ...(aliases.size > 0
            ? { aliases: [...aliases].map(([alias, version]) => ({ alias, version })) }
            : {}),
          latest_versions: [...versions.keys()].flatMap((version) => versionOf(name, version) ?? []),
        }))
        return [200, page(found, 'registered_models')]
      }
      case 'model-versions/search': {
        const [, key = '', value] = /^tags\.`(.*)` = '(.*?)'/.exec(filter) ?? []
        const found = all.flatMap(([name, { versions }]) =>
          [...versions]
            .filter(([, { tags }]) => tags[key] === value)
            .flatMap(([version]) => versionOf(name, version) ?? []),
        )
        return [200, page(found, 'model_versions')]
      }
      case 'registered-models/alias': {
        const model = models.get(given('name'))
        if (!model) return [404, { error_code: 'RESOURCE_DOES_NOT_EXIST' }]
        const version = model.aliases.get(given('alias'))
        if (version === undefined) return [400, { error_code: 'INVALID_PARAMETER_VALUE' }]
        return [200, { model_version: versionOf(given('name'), version) }]
      }
      case 'model-versions/get': {
        const found = versionOf(given('name'), given('version'))
        return found ? [200, { model_version: found }] : [404, { error_code: 'RESOURCE_DOES_NOT_EXIST' }]
      }
      case 'runs/get': {
        const [, name = '', version = ''] = /^run-(.*)-(.*)$/.exec(given('run_id')) ?? []
        const accuracy = models.get(name)?.versions.get(version)?.accuracy
        const metrics =
          accuracy === undefined
            ? []
            : [
                { key: 'loss', value: 3 },
                { key: 'accuracy', value: accuracy },
              ]
        return [200, { run: { data: { metrics } } }]
      }
      default:
        return [404, { error_code: 'ENDPOINT_NOT_FOUND' }]
    }
  }

  async function serve(request: IncomingMessage, response: ServerResponse) {
    const url = new URL(request.url ?? '', 'http://mlflow')
    const path = url.pathname.replace('/api/2.0/mlflow/', '')
    asked.push({ path, authorization: request.headers.authorization })
    if (isAway) return void response.writeHead(503).end('<html>')
    const strange = await instead(path, url.searchParams)
    if (strange) return void response.writeHead(strange.status).end(strange.text)
    if (request.method === 'POST') {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      written.push({ path, body: JSON.parse(Buffer.concat(chunks).toString()) })
      return void response.end('{}')
    }
    const [status, body] = answer(path, url.searchParams)
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

  const server = createServer((request, response) => void serve(request, response))
  const uri = await listening(server)

  return {
    uri,
    asked,
    /** What was posted to it. */
    written,
    away(is: boolean) {
      isAway = is
    },
    instead(answer: Instead) {
      instead = answer
    },
    register(name: string, version: string, about: Partial<Version> = {}) {
      modelNamed(name).versions.set(version, { tags: {}, ...about })
    },
    setAlias(name: string, alias: string, version: string) {
      modelNamed(name).aliases.set(alias, version)
    },
    dropAlias(name: string, alias: string) {
      modelNamed(name).aliases.delete(alias)
    },
    /** Moves it there, and any other version out of it, as MLflow does where it is asked to. */
    setStage(name: string, version: string, stage: string) {
      for (const [of, one] of modelNamed(name).versions)
        one.stage = of === version ? stage : one.stage === stage ? 'Archived' : (one.stage ?? 'None')
    },
    tag(name: string, version: string, key: string, value: string) {
      const found = modelNamed(name).versions.get(version)
      if (found) found.tags[key] = value
    },
  }
}

export interface Delivery {
  entity?: string
  action?: string
  data: object
  secret: string
  id?: string
  /** Seconds since the epoch. */
  timestamp?: number
}

/** A webhook as MLflow sends it. */
export function mlflowDelivery({ entity = 'model_version_alias', action = 'created', ...given }: Delivery) {
  const { data, secret, id = randomUUID(), timestamp = Math.floor(Date.now() / 1000) } = given
  const body = JSON.stringify({ entity, action, timestamp: new Date().toISOString(), data })
  const signature = createHmac('sha256', secret).update(`${id}.${timestamp}.${body}`).digest('base64')
  const headers = {
    'content-type': 'application/json',
    'x-mlflow-delivery-id': id,
    'x-mlflow-timestamp': String(timestamp),
    'x-mlflow-signature': `v1,${signature}`,
  }
  return { body, headers }
}

/** MLflow's REST API, as far as the tests look into it and steer it. */
import { expect } from 'vitest'

export type Mlflow = ReturnType<typeof mlflowAt>

export function mlflowAt(url: string) {
  // biome-ignore lint/suspicious/noExplicitAny: a test looks into it and fails on what is not there
  async function call(method: string, verb: string, given: Record<string, unknown>): Promise<any> {
    const query = method === 'GET' ? `?${new URLSearchParams(given as Record<string, string>)}` : ''
    const response = await fetch(`${url}/api/2.0/mlflow/${verb}${query}`, {
      method,
      ...(method === 'GET' ? {} : { body: JSON.stringify(given) }),
      headers: { 'content-type': 'application/json' },
    })
    const body = await response.json()
    if (!response.ok)
      throw new Error(`MLflow answered ${response.status} to ${verb}: ${JSON.stringify(body)}`)
    return body
  }

  return {
    url,
    /** Versions that nobody promotes, so that the next one has the number that a test speaks of. */
    async register(name: string, versions: number): Promise<void> {
      await call('POST', 'registered-models/create', { name })
      for (let made = 0; made < versions; made++)
        await call('POST', 'model-versions/create', {
          name,
          source: 's3://models/none',
        })
    },
    async setAlias(name: string, alias: string, version: string): Promise<void> {
      await call('POST', 'registered-models/alias', { name, alias, version })
    },
    /** undefined where it points at nothing. */
    async alias(name: string, alias: string): Promise<string | undefined> {
      const { registered_model } = await call('GET', 'registered-models/get', { name })
      const aliases: { alias: string; version: string }[] = registered_model.aliases ?? []
      return aliases.find((one) => one.alias === alias)?.version
    },
    async tags(name: string, version: string): Promise<Record<string, string>> {
      const { model_version } = await call('GET', 'model-versions/get', { name, version })
      const tags: { key: string; value: string }[] = model_version.tags ?? []
      return Object.fromEntries(tags.map(({ key, value }) => [key, value]))
    },
    /** @returns how to take it away again */
    async webhook(to: string, secret: string): Promise<() => Promise<void>> {
      const { webhook } = await call('POST', 'webhooks', {
        name: 'promotion-relay',
        url: to,
        secret,
        events: [{ entity: 'MODEL_VERSION_ALIAS', action: 'CREATED' }],
      })
      expect(webhook.status).toBe('ACTIVE')
      return () => call('DELETE', `webhooks/${webhook.webhook_id}`, {})
    },
  }
}

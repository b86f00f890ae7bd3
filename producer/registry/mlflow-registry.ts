/** What MLflow's model registry says: where an alias, a stage or a tag points, and what a version's run has logged. */
import { z } from 'zod'
import { type CallMlflow, MlflowFault } from '../../shared/mlflow.ts'
import type { Mapping } from './mapping.ts'

export interface Registry {
  /** Every model to which the mapping applies, with the version that it points at. @throws MlflowFault */
  all(mapping: Mapping): Promise<Map<string, string>>
  /** undefined where it points at nothing. @throws MlflowFault */
  pointsAt(mapping: Mapping, model: string): Promise<string | undefined>
  /** The accuracy that the version's run has logged, 0 to 1; undefined if it has none. @throws MlflowFault */
  accuracyOf(model: string, version: string): Promise<number | undefined>
}

const PAGE = 200
/** A registry of a hundred thousand models, and no endless loop. */
const MOST_PAGES = 500

const versionSchema = z.object({
  name: z.string(),
  version: z.coerce.string(),
  current_stage: z.string().optional(),
  run_id: z.string().optional(),
})
const modelsSchema = z.object({
  registered_models: z
    .array(
      z.object({
        name: z.string(),
        aliases: z.array(z.object({ alias: z.string(), version: z.coerce.string() })).default([]),
        latest_versions: z.array(versionSchema).default([]),
      }),
    )
    .default([]),
  next_page_token: z.string().default(''),
})
const versionsSchema = z.object({
  model_versions: z.array(versionSchema).default([]),
  next_page_token: z.string().default(''),
})
const oneVersionSchema = z.object({ model_version: versionSchema })
const runSchema = z.object({
  run: z.object({
    data: z.object({
      metrics: z.array(z.object({ key: z.string(), value: z.number().catch(Number.NaN) })).default([]),
    }),
  }),
})

export function createMlflowRegistry(call: CallMlflow, { metric }: { metric: string }): Registry {
  async function ask<T>(path: string, given: Record<string, string>, schema: z.ZodType<T>): Promise<T> {
    const answer = schema.safeParse(await call(path, given))
    if (answer.success) return answer.data
    throw new MlflowFault(path, 200, '', answer.error)
  }

  async function* pages<T extends { next_page_token: string }>(
    path: string,
    schema: z.ZodType<T>,
    filter: Record<string, string>,
  ) {
    for (let token = '', page = 0; page < MOST_PAGES; page++) {
      const given = { ...filter, max_results: String(PAGE), ...(token === '' ? {} : { page_token: token }) }
      const answer = await ask(path, given, schema)
      yield answer
      token = answer.next_page_token
      if (token === '') return
    }
    throw new Error(`${path} has no end`)
  }

  async function tagged({ name, value = '' }: Mapping, model?: string): Promise<Map<string, string>> {
    const newest = new Map<string, string>()
    const ofModel = model === undefined ? '' : ` and name = ${quoted(model)}`
    const filter = `tags.\`${name}\` = ${quoted(value)}${ofModel}`
    for await (const { model_versions } of pages('model-versions/search', versionsSchema, { filter }))
      for (const { name: of, version } of model_versions)
        if (Number(version) > Number(newest.get(of) ?? -1)) newest.set(of, version)
    return newest
  }

  return {
    async all(mapping) {
      if (mapping.kind === 'tag') return tagged(mapping)
      const found = new Map<string, string>()
      for await (const { registered_models } of pages('registered-models/search', modelsSchema, {}))
        for (const { name, aliases, latest_versions } of registered_models) {
          const version =
            mapping.kind === 'alias'
              ? aliases.find(({ alias }) => alias === mapping.name)?.version
              : latest_versions.find(({ current_stage }) => current_stage === mapping.name)?.version
          if (version !== undefined) found.set(name, version)
        }
      return found
    },

    async pointsAt(mapping, model) {
      if (mapping.kind === 'tag') return (await tagged(mapping, model)).get(model)
      if (mapping.kind === 'alias') {
        const given = { name: model, alias: mapping.name }
        const answer = await unlessAbsent(ask('registered-models/alias', given, oneVersionSchema))
        return answer?.model_version.version
      }
      const filter = `name = ${quoted(model)}`
      for await (const { registered_models } of pages('registered-models/search', modelsSchema, { filter })) {
        const versions = registered_models.find(({ name }) => name === model)?.latest_versions ?? []
        const found = versions.find(({ current_stage }) => current_stage === mapping.name)
        if (found) return found.version
      }
      return undefined
    },

    async accuracyOf(model, version) {
      const given = { name: model, version }
      const found = await unlessAbsent(ask('model-versions/get', given, oneVersionSchema))
      const runId = found?.model_version.run_id
      const answer = runId ? await unlessAbsent(ask('runs/get', { run_id: runId }, runSchema)) : undefined
      const metrics = answer?.run.data.metrics ?? []
      const value = metrics.find(({ key }) => key === metric)?.value
      return value !== undefined && value >= 0 && value <= 1 ? value : undefined
    },
  }
}

/** MLflow's filters know no escape: a name with both kinds of quotes can't be asked for. */
function quoted(text: string): string {
  return text.includes("'") ? `"${text}"` : `'${text}'`
}

async function unlessAbsent<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    const absent = ['RESOURCE_DOES_NOT_EXIST', 'INVALID_PARAMETER_VALUE']
    if (error instanceof MlflowFault && absent.includes(error.errorCode)) return undefined
    throw error
  })
}

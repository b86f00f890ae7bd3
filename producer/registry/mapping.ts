/**
 * What in the model registry says that a version is promoted, and to where: an alias, a stage or a tag, mapped to an
 * environment. One mapping an environment, so that two never pull one target in two directions.
 */
export interface Mapping {
  kind: 'alias' | 'stage' | 'tag'
  /** Of the alias, the stage or the tag. */
  name: string
  /** Of a tag: the value that it must have. */
  value?: string
  environment: string
}

/** A name for keys, log lines and hints. */
export function mappingId({ kind, name, value, environment }: Mapping): string {
  return [kind, value === undefined ? name : `${name}=${value}`, environment].join(':')
}

/** Environment variables as they come, of the process or made up by a test. */
export type Environment = Readonly<Record<string, string | undefined>>

/** An empty variable counts as not given: compose files and CI pass empty ones along. */
export function given(env: Environment, name: string): string | undefined {
  const value = env[name]?.trim()
  return value === '' ? undefined : value
}

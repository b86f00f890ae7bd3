/** What the settings of MLflow must be to each other: problems in words, never the value of a secret. */
export interface MlflowSettings {
  /** Told of how promotions end. */
  isTold: boolean
  /** Its registry says what is promoted. */
  isFollowed: boolean
  /** What in the registry stands for which environment. */
  mappings: readonly { environment: string }[]
  /** Whether a setting is given, by itself or as a file. */
  has(name: string): boolean
}

/** Settings of MLflow's own, which others on the same machine use too: read only where they are used here. */
export const MLFLOW_OWN = /^MLFLOW_TRACKING_/

/** What in the model registry stands for which environment. */
export const REGISTRY_NAMES = ['MLFLOW_ALIASES', 'MLFLOW_STAGES', 'MLFLOW_TAGS'] as const

export function mlflowProblems({ isTold, isFollowed, mappings, has }: MlflowSettings): string[] {
  if (!isTold && !isFollowed) return []
  const problems: string[] = []
  const needs = (one: string, other: string) => {
    if (has(one) && !has(other)) problems.push(`${other} is missing: ${one} is set`)
  }
  if (!has('MLFLOW_TRACKING_URI')) {
    const why = isTold ? 'MLFLOW_FEEDBACK is on' : `${REGISTRY_NAMES.join(', ')} speak of its registry`
    problems.push(`MLFLOW_TRACKING_URI is missing: ${why}`)
  }
  needs('MLFLOW_TRACKING_USERNAME', 'MLFLOW_TRACKING_PASSWORD')
  needs('MLFLOW_TRACKING_PASSWORD', 'MLFLOW_TRACKING_USERNAME')
  if (has('MLFLOW_TRACKING_TOKEN') && has('MLFLOW_TRACKING_PASSWORD'))
    problems.push('MLFLOW_TRACKING_TOKEN and MLFLOW_TRACKING_PASSWORD are both set: use one')
  const environments = mappings.map(({ environment }) => environment)
  const twice = environments.find((one, at) => environments.indexOf(one) < at)
  if (twice !== undefined)
    problems.push(
      `${REGISTRY_NAMES.join(', ')} name the environment ${twice} twice: one may say what goes there`,
    )
  return problems
}

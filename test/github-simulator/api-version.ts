// The versions of the API that a server knows, and what it says of others.
import type { Settings } from './settings.ts'

export type ApiVersion = '2022-11-28' | '2026-03-10'

export function supportedVersions({ mode }: Settings): ApiVersion[] {
  return mode === 'ghes' ? ['2022-11-28'] : ['2026-03-10', '2022-11-28']
}

/** GitHub puts this into `errors`, as text; the message is only "Bad Request". */
export function versionError(asked: string, settings: Settings): string {
  const [newest, ...older] = supportedVersions(settings)
  const list = [`"${newest}" (most recent)`, ...older.map((version) => `"${version}"`)].join(' and ')
  return (
    `The version you specified in the "X-GitHub-API-Version" request header, "${asked}", is not a supported ` +
    `version. The following versions are currently supported: ${list}.`
  )
}

/** The credentials that the settings ask for: a GitHub App where one is set, else a token. */
import type { Settings } from '../../shared/config.ts'
import type { Logger } from '../../shared/logger.ts'
import type { Redactor } from '../../shared/redact.ts'
import { secretFromValue } from '../../shared/secret.ts'
import { appCredentials } from './app-credentials.ts'
import { type Credentials, tokenCredentials } from './credentials.ts'

export interface Chosen {
  credentials: Credentials
  ofApp: boolean
}

export function chooseCredentials(
  settings: Settings,
  deps: { redact: Redactor; log: Logger; pauseMs: number },
): Chosen {
  const { GITHUB_APP_ID: appId, GITHUB_APP_INSTALLATION_ID: installationId } = settings
  const { GITHUB_APP_PRIVATE_KEY: privateKey, GITHUB_API_URL: baseUrl } = settings
  if (appId && installationId && privateKey) {
    const app = { appId, installationId, privateKey, baseUrl }
    return { credentials: appCredentials({ ...app, ...deps }), ofApp: true }
  }
  // Without a token nothing is sent: the trigger is off then.
  const token = settings.GITHUB_TOKEN ?? secretFromValue('GITHUB_TOKEN', '')
  return { credentials: tokenCredentials(token, deps.redact), ofApp: false }
}

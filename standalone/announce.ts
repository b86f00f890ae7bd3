/** What `up` tells the person who started it: what it does, where, how to log in, and how to promote something. */
import type { Settings } from '../shared/config.ts'
import type { Secret } from '../shared/secret.ts'
import { logInsFile } from './relay-file.ts'

export interface Announcement {
  print(line: string): void
  /** Generated log-ins are shown on a terminal only; elsewhere it is said where they are. */
  terminal: boolean
  simulated: boolean
  settings: Settings
  dataDir: string
  /** Whether DATA_DIR was set: then another terminal has to set it too. */
  dataDirIsSet: boolean
  /** Of the server. */
  url: string
  apiToken: Secret
  opsPassword: Secret
}

export function announce(about: Announcement): void {
  const { print, terminal, simulated, settings, dataDir, url, apiToken, opsPassword } = about
  print('')
  print(whatItDoes(about))
  print('')
  print(`  Board      ${url}/`)
  print(`  API        ${url}/v1/promotions`)
  print(`  Described  ${url}/docs`)
  print(`  Queues     ${url}/queues`)
  print(`  Metrics    ${url}/metrics`)
  if (simulated) print(`  Simulator  ${settings.GITHUB_API_URL}/`)
  print(`  Data       ${dataDir}`)
  print('')
  const [ownToken, ownPassword] = [!settings.RELAY_API_TOKEN, !settings.OPS_PASSWORD]
  if (!ownToken && !ownPassword) return
  if (terminal) {
    if (ownToken) print(`  API token         ${apiToken.read()}`)
    if (ownPassword) print(`  Board log-in      ${settings.OPS_USER} / ${opsPassword.read()}`)
  } else print(`  Log-ins    ${logInsFile(dataDir)} (of the board: user ${settings.OPS_USER})`)
  print('')
}

function whatItDoes({ simulated, settings }: Announcement): string {
  if (simulated) {
    return 'promotion-relay is up, SIMULATED: nothing of GitHub is set, so a simulator takes its place.'
  }
  if (settings.ENABLE_CD_TRIGGER) {
    const repository = `${settings.GITHUB_REPO_OWNER}/${settings.GITHUB_REPO_NAME}`
    return `promotion-relay is up: it dispatches ${settings.CD_WORKFLOW_NAME} in ${repository}.`
  }
  return 'promotion-relay is up, but ENABLE_CD_TRIGGER is off: promotions are recorded as skipped, nothing is sent.'
}

export function tellHowToPromote({
  print,
  terminal,
  settings,
  dataDir,
  dataDirIsSet,
  url,
}: Announcement): void {
  const where = dataDirIsSet ? `DATA_DIR=${quoted(dataDir)} ` : ''
  const token = settings.RELAY_API_TOKEN
    ? '$RELAY_API_TOKEN'
    : `$(sed -n s/^RELAY_API_TOKEN=//p ${quoted(logInsFile(dataDir))})`
  print('Promote one yourself, from another terminal in this directory:')
  print('')
  print(`  ${where}npx promotion-relay promote --model fraud-detector --version 5 --accuracy 0.9234 --wait`)
  print('')
  print('or over HTTP:')
  print('')
  print(`  curl -X POST ${url}/v1/promotions \\`)
  print(`    -H "Authorization: Bearer ${token}" -H 'Content-Type: application/json' \\`)
  print(`    -d '{"model": "fraud-detector", "version": "6", "accuracy": 0.93}'`)
  print('')
  print(`It runs until ${terminal ? 'Ctrl-C' : 'SIGTERM or SIGINT'}; what is recorded stays.`)
}

/** For a shell. */
function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}

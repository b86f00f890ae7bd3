/** The settings as far as they are right: a diagnosis goes on with what can still be looked at. */
import { type Environment, loadSettings, SETTING_NAMES, type Settings } from '../../shared/config.ts'
import { type Finding, fault, ok } from './finding.ts'

export interface SettingsLook {
  settings: Settings
  findings: Finding[]
}

export function lookAtSettings(env: Environment): SettingsLook {
  const ofWorker = loadSettings(env, ['dispatch'])
  const settings = ofWorker.ok ? ofWorker.settings : withoutWrong(env)
  if (!ofWorker.ok)
    return { settings, findings: ofWorker.problems.map((problem) => fault('settings', problem, MEND)) }
  const ofServer = loadSettings(env, ['redis', 'server'])
  const missing = ofServer.ok ? [] : ofServer.problems.flatMap((problem) => namesIn(problem).slice(0, 1))
  const more = missing.length === 0 ? '' : `; serve would also ask for ${missing.join(', ')}`
  return { settings, findings: [ok('settings', `nothing is wrong or missing for work and up${more}`)] }
}

const MEND = 'correct it in .env or in the environment; .env.example describes each'

/** What is wrong counts as not given. */
function withoutWrong(env: Environment): Settings {
  let left = env
  for (let times = 0; times <= SETTING_NAMES.length; times++) {
    const loaded = loadSettings(left, [])
    if (loaded.ok) return loaded.settings
    const wrong = new Set(loaded.problems.flatMap(namesIn))
    left = Object.fromEntries(Object.entries(left).filter(([name]) => !wrong.has(name)))
  }
  throw new Error('settings stay wrong without what is wrong in them')
}

/** Both forms of each. */
function namesIn(problem: string): string[] {
  const named = SETTING_NAMES.filter((name) => new RegExp(`\\b${name}(_FILE)?\\b`).test(problem))
  return named.flatMap((name) => [name, `${name}_FILE`])
}

/** Where the relay is that a command speaks to. What it needs is loaded once that is known: `promote` is to be quick. */
import type { Producer } from '../../producer/index.ts'
import type { Environment } from '../../shared/config.ts'
import { complain, EXIT, refuse, settingsOrExit } from '../command-line.ts'
import { readLogIns, readRelayAddress } from '../relay-file.ts'

/** Together with the start of this program no more than two seconds. */
const PROMOTE_WITHIN_MS = 1_500

export type Whereabouts = { redisUrl: string; replicas: number } | { url: string; token: string }

/** By address; else straight into Redis; else the relay that runs here. Ends the process where there is none. */
export function whereabouts(env: Environment, url: string | undefined): Whereabouts {
  const settings = settingsOrExit(env, [])
  const local = readRelayAddress(settings.DATA_DIR)
  // An empty variable counts as none, as everywhere.
  const given = url ?? (env.RELAY_URL?.replace(/\/+$/, '') || undefined)
  if (given === undefined && settings.REDIS_URL)
    return { redisUrl: settings.REDIS_URL.read(), replicas: settings.REDIS_WAIT_REPLICAS }
  const where = given ?? local?.url
  if (where === undefined) {
    complain(
      `no relay was found: none runs in ${settings.DATA_DIR}, and neither --url, RELAY_URL nor REDIS_URL is given`,
      'start one with npm start, or name one',
    )
    process.exit(EXIT.unreachable)
  }
  const token = settings.RELAY_API_TOKEN?.read() ?? readLogIns(settings.DATA_DIR).RELAY_API_TOKEN
  if (token === undefined) refuse(['RELAY_API_TOKEN is missing: the token that the relay asks for'])
  return { url: where, token }
}

export async function findRelay(env: Environment, url: string | undefined): Promise<Producer> {
  const place = whereabouts(env, url)
  const { SPOOL_DIR: spoolDir } = settingsOrExit(env, [])
  const spool = spoolDir === undefined ? {} : { spoolDir }
  if ('redisUrl' in place) {
    const { createProducer } = await import('../../producer/index.ts')
    return createProducer({ ...place, ...spool, deadlineMs: PROMOTE_WITHIN_MS })
  }
  const { createHttpProducer } = await import('../../producer/http-producer.ts')
  return createHttpProducer({ ...place, ...spool, deadlineMs: PROMOTE_WITHIN_MS })
}

/**
 * Who asks: whom a trusted proxy has logged in, whoever sends his password with the request (Basic, for scripts), or
 * whose browser has a session. Made once, shared by all that is guarded, so that tries to log in are counted together.
 */
import type { FastifyRequest } from 'fastify'
import { type Audit, REFUSED_LOG_IN } from '../../../shared/ledger/audit.ts'
import type { Logger } from '../../../shared/logger.ts'
import { type Attempts, createAttempts } from './attempts.ts'
import { sessionIn } from './cookie.ts'
import { Crowded, type Known, type People } from './people.ts'
import type { Person } from './person.ts'
import type { Arrive } from './proxy.ts'
import type { Sessions } from './sessions.ts'

export interface LogIn {
  arrive: Arrive
  sessions: Sessions
  /** @throws where Redis or a file of people can't be read now */
  who(request: FastifyRequest): Promise<Who>
  /** Takes name and password for one try. @throws as `who` */
  tryPassword(request: FastifyRequest, name: string, password: string): Promise<Tried>
  audit: Pick<Audit, 'note'>
  log: Logger
  /** Pages say so. */
  simulated: boolean
}

/** `basic` and `proxy`: there is no session of ours to end. */
export type Who =
  | { kind: 'known'; person: Person; by: 'session' | 'basic' | 'proxy' }
  | { kind: 'unknown' }
  | TooMany

export type Tried = { kind: 'known'; known: Known } | { kind: 'unknown' } | TooMany

interface TooMany {
  kind: 'too_many'
  /** Until the next try. */
  seconds: number
}

export interface LogInDeps {
  people: People
  sessions: Sessions
  arrive: Arrive
  audit: Pick<Audit, 'note'>
  log: Logger
  simulated: boolean
  /** Of one address in a minute; of one name, from wherever, three times as many. */
  triesPerMinute?: number
}

const TRIES_PER_MINUTE = 10
const CROWDED_S = 5

export function createLogIn(deps: LogInDeps): LogIn {
  const { people, sessions, arrive, audit, log, simulated, triesPerMinute = TRIES_PER_MINUTE } = deps
  const windowMs = 60_000
  const ofAddress = createAttempts({ max: triesPerMinute, windowMs })
  const ofName = createAttempts({ max: 3 * triesPerMinute, windowMs })

  async function tryPassword(request: FastifyRequest, name: string, password: string): Promise<Tried> {
    const counted: [Attempts, string][] = [
      [ofAddress, networkOf(arrive(request).address)],
      [ofName, name],
    ]
    for (const [attempts, key] of counted) {
      const seconds = attempts.take(key)
      if (seconds !== undefined) return { kind: 'too_many', seconds }
    }
    const giveBack = () => {
      for (const [attempts, key] of counted) attempts.giveBack(key)
    }
    try {
      const known = await people.check(name, password)
      if (!known) {
        await refused(request, name)
        return { kind: 'unknown' }
      }
      giveBack()
      return { kind: 'known', known }
    } catch (error) {
      // Nobody has looked at the password.
      giveBack()
      if (error instanceof Crowded) return { kind: 'too_many', seconds: CROWDED_S }
      throw error
    }
  }

  async function refused(request: FastifyRequest, name: string) {
    const { address } = arrive(request)
    // What stands in the place of an unknown name may be a password.
    const who = people.find(name)?.person.name ?? 'an unknown name'
    log.warn({ name: who, address }, 'A log-in was refused')
    const deed = { who, via: 'board', what: REFUSED_LOG_IN, of: address, result: 'refused' } as const
    await audit.note(deed).catch((err: Error) => log.warn({ err }, 'A refused log-in could not be noted'))
  }

  return {
    arrive,
    sessions,
    audit,
    log,
    simulated,
    tryPassword,
    async who(request) {
      const { person, isTls } = arrive(request)
      if (person) return { kind: 'known', person, by: 'proxy' }
      const basic = basicIn(request.headers.authorization)
      if (basic) {
        const tried = await tryPassword(request, basic.name, basic.password)
        return tried.kind === 'known' ? { kind: 'known', person: tried.known.person, by: 'basic' } : tried
      }
      const id = sessionIn(request, isTls)
      const known = id === undefined ? undefined : await sessions.find(id)
      return known ? { kind: 'known', person: known.person, by: 'session' } : { kind: 'unknown' }
    },
  }
}

function basicIn(authorization: string | undefined): { name: string; password: string } | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]{1,2000}={0,2})$/i.exec(authorization ?? '')?.[1]
  if (encoded === undefined) return undefined
  const text = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? undefined : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}

/** Who has one IPv6 address has as many as he likes of its /64. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.includes('.')) return address
  const [head = '', tail = ''] = address.split('%')[0]?.split('::') ?? []
  const [before, after] = [head, tail].map((text) => (text === '' ? [] : text.split(':')))
  const zeros = Array.from(
    { length: Math.max(0, 8 - (before?.length ?? 0) - (after?.length ?? 0)) },
    () => '0',
  )
  return [...(before ?? []), ...zeros, ...(after ?? [])].slice(0, 4).join(':')
}

/**
 * Who may log in, with what: `OPS_USER`, an operator, and the people in `OPS_USERS_FILE`. An unknown name takes as long
 * to be refused as a wrong password.
 */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Logger } from '../../../shared/logger.ts'
import { fitsHash, LONGEST_PASSWORD, type OpsUser, parseUsers } from '../../../shared/ops-users.ts'
import type { Secret } from '../../../shared/secret.ts'
import type { Person } from './person.ts'

export interface Known {
  person: Person
  /** Another one after a change of password or role. Secret. */
  fingerprint: string
}

export interface People {
  /** @throws where a file of theirs can't be read now */
  find(name: string): Known | undefined
  /** @throws as `find`, and `Crowded` */
  check(name: string, password: string): Promise<Known | undefined>
}

export interface PeopleDeps {
  user: string
  password?: Secret | undefined
  /** The text of the file; see `shared/ops-users.ts`. */
  users?: Secret | undefined
  log: Logger
}

/** So many look at passwords already that no more are let in. */
export class Crowded extends Error {
  readonly code = 'CROWDED'
}

/** For so long a password that was right is not hashed again, ms: scripts send theirs with each request. */
const REMEMBER_MS = 60_000
/** Of a password that nobody knows, with the costs of the others: it takes their time. */
const DECOY = '$scrypt$ln=15,r=8,p=3$Qs/Qntg+jROdpuoOjGj7vA$P2oaA/EsdOMxNY+uAY2OvpT4vtLL2Fod/sdb3uIjtqg'
/** One at a time: a hash takes 32 MiB and a thread that others need too. */
const MOST_WAITING = 20

export function createPeople({ user, password, users, log }: PeopleDeps): People {
  const once = inTurn(MOST_WAITING)
  const rightUntil = new Map<string, number>()
  const rememberKey = randomBytes(32)
  let seen: string | undefined
  let named = new Map<string, OpsUser>()

  /** What is wrong in a file that was changed must not lock out whom its other lines name. */
  function usersNow(): ReadonlyMap<string, OpsUser> {
    const text = users?.read() ?? ''
    if (text === seen) return named
    seen = text
    const parsed = parseUsers(text)
    named = new Map(parsed.users.map((one) => [one.name, one]))
    const names = parsed.users.map(({ name, role }) => `${name} (${role})`)
    if (parsed.problems.length > 0)
      log.error({ names, problems: parsed.problems }, 'OPS_USERS_FILE has lines that are left out')
    else if (users) log.info({ names }, 'The people who may log in were read')
    return named
  }

  function find(name: string): Known | undefined {
    if (password && name === user)
      return { person: { name, role: 'operator' }, fingerprint: `operator ${password.read()}` }
    const one = usersNow().get(name)
    return one && { person: { name, role: one.role }, fingerprint: `${one.role} ${one.hash}` }
  }

  async function fits(name: string, given: string): Promise<boolean> {
    if (password && name === user) {
      const right = same(given, password.read())
      await once(() => fitsHash(given, DECOY))
      return right
    }
    const hash = usersNow().get(name)?.hash
    return once(async () => (await fitsHash(given, hash ?? DECOY)) && hash !== undefined)
  }

  return {
    find,
    async check(name, given) {
      if (given.length > LONGEST_PASSWORD) return undefined
      const known = find(name)
      const key = createHmac('sha256', rememberKey)
        .update(JSON.stringify([name, given, known?.fingerprint]))
        .digest('base64')
      if (known && (rightUntil.get(key) ?? 0) > Date.now()) return known
      if (!(await fits(name, given)) || !known) return undefined
      for (const [old, until] of rightUntil) if (until <= Date.now()) rightUntil.delete(old)
      rightUntil.set(key, Date.now() + REMEMBER_MS)
      return known
    },
  }
}

function same(given: string, wanted: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

/** @throws Crowded */
function inTurn(mostWaiting: number): <T>(step: () => Promise<T>) => Promise<T> {
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  return async (step) => {
    if (waiting >= mostWaiting) throw new Crowded('too many log-ins at once')
    waiting++
    const mine = last.then(step)
    last = mine.catch(() => {})
    return mine.finally(() => waiting--)
  }
}

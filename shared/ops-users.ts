/**
 * The people who may use the pages for ops: a file with one line a person, `name role scrypt-hash`. A hash is in the
 * PHC string format, `$scrypt$ln=15,r=8,p=3$salt$hash`, with its costs in it, so that they can grow.
 */
import { randomBytes, type ScryptOptions, scrypt, timingSafeEqual } from 'node:crypto'
import { z } from 'zod'

/** A viewer sees everything and changes nothing. */
export const ROLES = ['viewer', 'operator'] as const
export type Role = (typeof ROLES)[number]
export const roleSchema = z.enum(ROLES, { error: `must be ${ROLES.join(' or ')}` })

export interface OpsUser {
  name: string
  role: Role
  hash: string
}

export const userNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}$/,
    "must be 1 to 100 letters, digits, '.', '_', '@', '+' and '-'",
  )

/** Of a password that is to be hashed. */
export const SHORTEST_PASSWORD = 12
export const LONGEST_PASSWORD = 500

/** OWASP's: 32 MiB and about a tenth of a second. Password Storage Cheat Sheet, scrypt. */
const COSTS = { ln: 15, r: 8, p: 3 }
const SALT_BYTES = 16
const HASH_BYTES = 32
/** What a hash may cost at most, bytes: its line is believed, but not to the point of standing still. */
const MOST_MEMORY = 256 * 1024 * 1024

/** @returns every line that can be read, and what is wrong with each of the others, never with its text. */
export function parseUsers(text: string): { users: OpsUser[]; problems: string[] } {
  const users: OpsUser[] = []
  const problems: string[] = []
  text.split(/\r?\n/).forEach((line, i) => {
    const words = line.trim().split(/\s+/)
    if (words[0] === '' || words[0]?.startsWith('#')) return
    const read = words.length === 3 ? userFrom(words) : 'is not `name role scrypt-hash`'
    const problem =
      typeof read !== 'string'
        ? users.some(({ name }) => name === read.name) && 'has the name of an earlier line'
        : read
    if (problem) problems.push(`line ${i + 1} ${problem}`)
    else users.push(read as OpsUser)
  })
  return { users, problems }
}

function userFrom([name, roleText, hash = '']: string[]): OpsUser | string {
  const [named, role] = [userNameSchema.safeParse(name), roleSchema.safeParse(roleText)]
  if (!named.success) return `has no name: it ${named.error.issues[0]?.message}`
  if (!role.success) return `has no role: it ${role.error.issues[0]?.message}`
  if (!parseHash(hash)) return 'has no hash: `promotion-relay user` makes the line'
  return { name: named.data, role: role.data, hash }
}

/** The line of a person for the file. */
export async function newUserLine(name: string, role: Role, password: string): Promise<string> {
  return `${name} ${role} ${await hashPassword(password)}`
}

export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES)
  const { ln, r, p } = COSTS
  const hash = await derive(password, { salt, ln, r, p, bytes: HASH_BYTES })
  return `$scrypt$ln=${ln},r=${r},p=${p}$${base64(salt)}$${base64(hash)}`
}

/** @param hash of `hashPassword`; what is none fits no password */
export async function fitsHash(password: string, hash: string): Promise<boolean> {
  const wanted = parseHash(hash)
  if (!wanted) return false
  const { salt, ln, r, p } = wanted
  const given = await derive(password, { salt, ln, r, p, bytes: wanted.hash.length })
  return timingSafeEqual(given, wanted.hash)
}

const HASH =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43,86})$/

function parseHash(text: string) {
  const [, ln, r, p, salt = '', hash = ''] = HASH.exec(text) ?? []
  const costs = { ln: Number(ln), r: Number(r), p: Number(p) }
  const memory = 128 * 2 ** costs.ln * costs.r
  const isWithin = costs.ln >= 14 && costs.r >= 8 && costs.p >= 1 && memory <= MOST_MEMORY && costs.p <= 16
  if (!isWithin) return undefined
  return { ...costs, salt: Buffer.from(salt, 'base64'), hash: Buffer.from(hash, 'base64') }
}

interface Derivation {
  salt: Buffer
  ln: number
  r: number
  p: number
  bytes: number
}

function derive(password: string, { salt, ln, r, p, bytes }: Derivation): Promise<Buffer> {
  const options: ScryptOptions = { N: 2 ** ln, r, p, maxmem: 2 * MOST_MEMORY }
  return new Promise((resolve, reject) =>
    // The same letters may be typed as other code points on another keyboard.
    scrypt(password.normalize('NFC'), salt, bytes, options, (error, key) =>
      error ? reject(error) : resolve(key),
    ),
  )
}

function base64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

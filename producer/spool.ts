/**
 * The producer's spool: promotions that could not be given to the relay, one file each, kept on disk until they can
 * be. The format is shared with the Python client (docs/SPOOL.md). Guarantees: what is told as spooled survives the
 * process and the machine's crash; what is delivered twice, or by two at once, is the same promotion to the ledger,
 * since each carries its own id; a target's are delivered in order. Writes nothing secret.
 */
import { createHash } from 'node:crypto'
import { constants } from 'node:fs'
import { access, type FileHandle, mkdir, open, readdir, rename, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { targetName } from '../shared/ledger/promotion-record.ts'

/** What came of handing one to the relay. */
export type Handed =
  /** The relay has it. */
  | { kind: 'taken' }
  /** The relay will never take it: why. */
  | { kind: 'refused'; reason: string }
  /** Not now. */
  | { kind: 'away'; reason: string }

/** A promotion as it lies in the spool; `request` carries its id and time. */
export interface Spooled {
  id: string
  model: string
  environment: string
  idempotencyKey: string | undefined
  request: Record<string, unknown>
}

export interface Delivered {
  delivered: number
  /** Never to be taken; kept aside as `….json.refused`. */
  refused: { file: string; reason: string }[]
  /** Torn, or nobody's; kept aside as `….json.bad`. */
  bad: string[]
  /** Still there, and why. */
  left: number
  reason: string
}

const SCHEMA = 1
const LARGEST_BYTES = 68 * 1024
/** A temporary file that is older was left by a process that was killed, ms. */
const LEFT_BEHIND_MS = 3_600_000
const NAME = /^([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})-([0-9a-f]{16})\.json$/

const fileSchema = z.object({
  schema: z.number(),
  id: z.string(),
  createdAt: z.iso.datetime(),
  idempotencyKey: z.string().nullable(),
  request: z.looseObject({ model: z.string(), version: z.string(), environment: z.string() }),
})

/** Keeps a promotion. Returns once it is on disk. @throws what the file system says: a full disk, no permission */
export async function spool(
  directory: string,
  {
    id,
    createdAt,
    idempotencyKey,
    request,
  }: {
    /** UUIDv7, also that of a try whose answer was lost. */
    id: string
    createdAt: Date
    idempotencyKey?: string | undefined
    request: { model: string; version: string | number; environment?: string | undefined }
  },
): Promise<string> {
  const { environment = 'production', version, ...rest } = request
  const full = { ...rest, version: String(version), environment }
  const name = fileName(id, full)
  const text = JSON.stringify(
    {
      schema: SCHEMA,
      id,
      createdAt: createdAt.toISOString(),
      idempotencyKey: idempotencyKey ?? null,
      request: full,
    },
    null,
    1,
  )
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const draft = join(directory, `.${id}.tmp`)
  try {
    await writeDurably(draft, text)
    await rename(draft, join(directory, name))
    await syncDirectory(directory)
  } catch (error) {
    await unlink(draft).catch(() => {})
    await unlink(join(directory, name)).catch(() => {})
    throw error
  }
  return name
}

/** Whether older promotions of the target wait there: a newer one must not overtake them. */
export async function hasSpooled(
  directory: string,
  of: { model: string; environment: string },
): Promise<boolean> {
  const digest = digestOf(of)
  return (await namesIn(directory)).some((name) => name.endsWith(`-${digest}.json`))
}

/**
 * Hands what is there to the relay, oldest first. A target stops at its first that could not be handed over; when the
 * relay is away all do.
 */
export async function deliverSpooled(
  directory: string,
  hand: (spooled: Spooled) => Promise<Handed>,
  /** Only this target's. */
  only?: { model: string; environment: string },
): Promise<Delivered> {
  const done: Delivered = { delivered: 0, refused: [], bad: [], left: 0, reason: '' }
  await removeLeftBehind(directory)
  const digest = only && digestOf(only)
  const names = (await namesIn(directory)).filter(
    (name) => digest === undefined || name.includes(`-${digest}.`),
  )
  const stopped = new Set<string>()
  for (const [at, name] of names.entries()) {
    const target = NAME.exec(name)?.[2] ?? name
    if (stopped.has(target)) {
      done.left++
      continue
    }
    const spooled = await readSpooled(directory, name)
    if (spooled === 'gone') continue
    if (spooled === 'newer schema') {
      stopped.add(target)
      done.left++
      done.reason = `${name} was written by a newer version of the relay`
    } else if (spooled === 'bad') {
      await putAside(directory, name, 'bad')
      done.bad.push(name)
    } else {
      const handed = await hand(spooled)
      if (handed.kind === 'away')
        return { ...done, left: done.left + names.length - at, reason: handed.reason }
      if (handed.kind === 'refused') {
        await putAside(directory, name, 'refused')
        done.refused.push({ file: name, reason: handed.reason })
      } else {
        await unlink(join(directory, name)).catch(unlessGone)
        done.delivered++
      }
    }
  }
  return done
}

export interface SpoolSeen {
  /** To be delivered. */
  waiting: number
  /** Refused for good, or torn. */
  aside: number
  /** When the oldest that waits was spooled, ms since the epoch. */
  oldestAt?: number
}

/** For a diagnosis; changes nothing. @throws what the file system says, also where it may not be written to */
export async function lookAtSpool(directory: string): Promise<SpoolSeen> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    // Made by the first that is spooled.
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (names === undefined) return { waiting: 0, aside: 0 }
  await access(directory, constants.W_OK | constants.X_OK)
  const waiting = names.filter((name) => NAME.test(name)).sort()
  const [oldest] = waiting
  const aside = names.filter((name) => /\.json\.(bad|refused)$/.test(name)).length
  return { waiting: waiting.length, aside, ...(oldest && { oldestAt: timeIn(oldest) }) }
}

/** Its name begins with a UUIDv7, and that with its time. */
function timeIn(name: string): number {
  return Number.parseInt(name.replaceAll('-', '').slice(0, 12), 16)
}

function fileName(id: string, request: { model: string; environment: string }): string {
  return `${id}-${digestOf(request)}.json`
}

function digestOf(of: { model: string; environment: string }): string {
  return createHash('sha256').update(targetName(of)).digest('hex').slice(0, 16)
}

async function namesIn(directory: string): Promise<string[]> {
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return []
    throw error
  })
  return names.filter((name) => !name.startsWith('.') && name.endsWith('.json')).sort()
}

async function readSpooled(
  directory: string,
  name: string,
): Promise<Spooled | 'gone' | 'bad' | 'newer schema'> {
  let file: FileHandle
  try {
    // Neither a link nor a pipe, which would keep us waiting.
    file = await open(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'gone'
    return 'bad'
  }
  try {
    const about = await file.stat()
    if (!about.isFile() || about.size > LARGEST_BYTES) return 'bad'
    const content = JSON.parse(await file.readFile('utf8')) as { schema?: unknown }
    if (typeof content?.schema === 'number' && content.schema > SCHEMA) return 'newer schema'
    const { id, createdAt, idempotencyKey, request } = fileSchema.parse(content)
    if (name !== fileName(id, request)) return 'bad'
    const { model, environment } = request
    return {
      id,
      model,
      environment,
      idempotencyKey: idempotencyKey ?? undefined,
      request: { ...request, id, promotedAt: createdAt },
    }
  } catch {
    return 'bad'
  } finally {
    await file.close()
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, constants.O_RDONLY)
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

async function putAside(directory: string, name: string, why: 'bad' | 'refused'): Promise<void> {
  await rename(join(directory, name), join(directory, `${name}.${why}`)).catch(unlessGone)
}

/** By a process that was killed while it wrote: nobody was told that it is kept. */
async function removeLeftBehind(directory: string): Promise<void> {
  const names = await readdir(directory).catch(() => [])
  for (const name of names.filter((one) => /^\.[0-9a-f-]{36}\.tmp$/.test(one))) {
    const about = await stat(join(directory, name)).catch(() => undefined)
    if (about && Date.now() - about.mtimeMs > LEFT_BEHIND_MS)
      await unlink(join(directory, name)).catch(() => {})
  }
}

function unlessGone(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}

// Many of one: a story that the product's own scripts have told is copied inside Redis, so that a million promotions
// are there within a minute or two. All that tells a copy from its original is a number, the marker: it stands in its
// model's name, in its ids, its keys and the numbers of its runs. Times are shifted too. No field is known here.
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

export interface Story {
  /** Nine digits that are nowhere else; every copy has its number in their place. */
  marker: string
  /** How ids begin (UUIDv7: their time). */
  heads: { text: string; at: number }[]
  /** Times between these two are the story's own, ms since the epoch. */
  from: number
  to: number
  /** Keys that are the story's alone. */
  own: string[]
  /** Its places in the keys of all. */
  shared: { key: string; member: string }[]
}

export interface Copies {
  /** Number of the first. */
  first: number
  count: number
  /** How much earlier than the original the first is, and each than the one before, ms. */
  earlierMs: number
  stepMs: number
}

/** The head of an id made at this time. */
export function headOf(at: number): string {
  const hex = at.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}

/** Looks through all that is in Redis: the story is to be among little else. BullMQ's events are no part of it. */
export async function readStory(
  redis: Redis,
  { marker, idTimes, from, to }: Pick<Story, 'marker' | 'from' | 'to'> & { idTimes: readonly number[] },
): Promise<Story> {
  const own: string[] = []
  const shared: Story['shared'] = []
  const isOf = (text: string) => text.includes(marker)
  for (const key of await redis.keys('*')) {
    if (isOf(key)) own.push(key)
    else for (const member of await membersOf(redis, key)) if (isOf(member)) shared.push({ key, member })
  }
  return { marker, heads: idTimes.map((at) => ({ text: headOf(at), at })), from, to, own, shared }
}

async function membersOf(redis: Redis, key: string): Promise<string[]> {
  switch (await redis.type(key)) {
    case 'hash':
      return redis.hkeys(key)
    case 'set':
      return redis.smembers(key)
    case 'zset':
      return redis.zrange(key, 0, '-1')
    default:
      return []
  }
}

const SCRIPT = readFileSync(new URL('clone.lua', import.meta.url), 'utf8')
/** Keys and members written by one script. */
const AT_ONCE = 20_000

export async function copyStory(redis: Redis, story: Story, copies: Copies): Promise<void> {
  const { first, count, earlierMs, stepMs } = copies
  const size = Math.max(1, Math.floor(AT_ONCE / (story.own.length + story.shared.length)))
  const sha = String(await redis.script('LOAD', SCRIPT))
  const recipe = JSON.stringify(story)
  for (let done = 0; done < count; done += size) {
    const some = Math.min(size, count - done)
    const shift = -earlierMs - done * stepMs
    await redis.evalsha(sha, 0, recipe, first + done, some, shift, -stepMs)
  }
}

/** A text of the original as the copy has it. */
export function asInCopy(
  text: string,
  story: Story,
  n: number,
  { first, earlierMs, stepMs }: Copies,
): string {
  const shift = -earlierMs - (n - first) * stepMs
  const isTime = (at: number) => at >= story.from && at <= story.to
  let copied = text.replaceAll(story.marker, String(n).padStart(9, '0'))
  for (const { text: head, at } of story.heads) copied = copied.replaceAll(head, headOf(at + shift))
  return copied.replace(/\d{13}/g, (time) => (isTime(Number(time)) ? String(Number(time) + shift) : time))
}

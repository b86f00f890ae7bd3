// The ledger's keys from outside, as no script of the product touches them: read whole, moved back in time, put back
// to what they were. Redis's clock can't be set, so time passes by every stored time moving into the past.
import type { Redis } from 'ioredis'
import { KEY_PREFIX } from '../../shared/redis/connect.ts'

export type Fields = Readonly<Record<string, string>>

/** Everything in the ledger; members of lists in their order. */
export interface Whole {
  promotions: ReadonlyMap<string, Fields>
  targets: ReadonlyMap<string, Fields>
  circuits: ReadonlyMap<string, Fields>
  /** Further hashes by key: counters and the like. */
  others: ReadonlyMap<string, Fields>
  /** By key, without the prefix: sets and sorted sets. */
  lists: ReadonlyMap<string, readonly string[]>
  texts: ReadonlyMap<string, string>
  /** Length of each timeline. */
  told: ReadonlyMap<string, number>
}

const READ_ALL = `
local all = {}
for _, name in ipairs(redis.call('KEYS', KEYS[1] .. ':*')) do
  local kind = redis.call('TYPE', name).ok
  local value
  if kind == 'hash' then value = redis.call('HGETALL', name)
  elseif kind == 'zset' then value = redis.call('ZRANGE', name, 0, -1)
  elseif kind == 'set' then value = redis.call('SMEMBERS', name)
  elseif kind == 'list' then value = redis.call('LLEN', name)
  else value = redis.call('GET', name) end
  all[#all + 1] = { string.sub(name, #KEYS[1] + 2), kind, value }
end
return #all > 0 and cjson.encode(all) or '[]'`

const TIMES = {
  promotion: [
    ...['acceptedAt', 'since', 'updatedAt', 'intentAt', 'notBefore', 'slotAt', 'dispatchedAt', 'startedAt'],
    ...['endedAt', 'doubtSince', 'runUpdatedAt', 'waitingSince', 'forgottenSince'],
  ],
  target: ['liveSince', 'liveAt'],
  circuit: ['since', 'until', 'probeUntil', 'failedAt'],
}

const PASS = `
local ms = tonumber(ARGV[1])
local times = cjson.decode(ARGV[2])
local function int(n) return string.format('%.0f', n) end
for _, name in ipairs(redis.call('KEYS', KEYS[1] .. ':*')) do
  local kind = redis.call('TYPE', name).ok
  local what = string.match(string.sub(name, #KEYS[1] + 2), '^[^:]+')
  if kind == 'hash' and times[what] then
    for _, field in ipairs(times[what]) do
      local at = tonumber(redis.call('HGET', name, field) or '')
      if at and at > 0 then redis.call('HSET', name, field, int(at - ms)) end
    end
  elseif kind == 'zset' then
    local members = redis.call('ZRANGE', name, 0, -1)
    for _, member in ipairs(members) do redis.call('ZINCRBY', name, -ms, member) end
  elseif what == 'rate' then
    redis.call('SET', name, int(tonumber(redis.call('GET', name)) - ms), 'KEEPTTL')
  end
  local left = redis.call('PTTL', name)
  if left > ms then redis.call('PEXPIRE', name, left - ms) elseif left >= 0 then redis.call('DEL', name) end
end`

/** Another server by the look of it: what was written under the present one is of a former one. */
const RESTART = `
local present = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
for _, name in ipairs(redis.call('KEYS', KEYS[1] .. ':promotion:*')) do
  for _, field in ipairs({ 'epoch', 'doubtEpoch' }) do
    if redis.call('HGET', name, field) == present then redis.call('HSET', name, field, ARGV[1]) end
  end
end`

export const isFormer = (epoch?: string) => epoch?.startsWith(FORMER) ?? false
const FORMER = 'former '

export function createLedgerKeys(redis: Redis) {
  let restarts = 0

  async function restart() {
    await redis.eval(RESTART, 1, KEY_PREFIX, `${FORMER}${++restarts}`)
  }

  return {
    async read(): Promise<Whole> {
      return wholeFrom(JSON.parse(String(await redis.eval(READ_ALL, 1, KEY_PREFIX))) as Entry[])
    },

    async pass(ms: number) {
      await redis.eval(PASS, 1, KEY_PREFIX, ms, JSON.stringify(TIMES))
    },

    restart,

    /** @returns what puts everything back to what it is now, as a server does that lost what came after. */
    async remember(): Promise<() => Promise<void>> {
      const names = await redis.keys(`${KEY_PREFIX}:*`)
      const dumps = await Promise.all(names.map((name) => redis.dumpBuffer(name)))
      const ends = await Promise.all(names.map((name) => redis.pttl(name)))
      return async () => {
        await redis.flushdb()
        const put = redis.pipeline()
        names.forEach((name, i) => {
          put.restore(name, Math.max(ends[i] ?? 0, 0), dumps[i] ?? '')
        })
        for (const [error] of (await put.exec()) ?? []) if (error) throw error
        await restart()
      }
    },
  }
}

type Entry = [name: string, kind: string, value: unknown]

function wholeFrom(entries: Entry[]): Whole {
  const whole = {
    promotions: new Map<string, Fields>(),
    targets: new Map<string, Fields>(),
    circuits: new Map<string, Fields>(),
    others: new Map<string, Fields>(),
    lists: new Map<string, string[]>(),
    texts: new Map<string, string>(),
    told: new Map<string, number>(),
  }
  const hashes: Record<string, Map<string, Fields>> = {
    promotion: whole.promotions,
    target: whole.targets,
    circuit: whole.circuits,
  }
  for (const [name, kind, value] of entries) {
    const at = name.indexOf(':')
    const id = name.slice(at + 1)
    if (kind === 'hash') {
      const kept = hashes[name.slice(0, at)]
      if (kept) kept.set(id, pairs(value as string[]))
      else whole.others.set(name, pairs(value as string[]))
    } else if (kind === 'list') whole.told.set(id, value as number)
    else if (kind === 'string') whole.texts.set(name, value as string)
    else whole.lists.set(name, value as string[])
  }
  return whole
}

function pairs(flat: string[]): Fields {
  const fields: Record<string, string> = {}
  for (let i = 0; i < flat.length; i += 2) fields[flat[i] ?? ''] = flat[i + 1] ?? ''
  return fields
}

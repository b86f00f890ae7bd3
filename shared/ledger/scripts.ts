/**
 * The ledger's Lua scripts, read once from `scripts/` and called by their SHA. Each takes one JSON argument and
 * answers JSON; the prelude stands before each. Redis's JSON reader refuses lone surrogates: they are replaced.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

export type ScriptName =
  | 'accept'
  | 'rehearse'
  | 'claim'
  | 'outcome'
  | 'resolve'
  | 'track'
  | 'finish'
  | 'redrive'
  | 'discard'
  | 'settle'
  | 'next-job'
  | 'probe-circuit'
  | 'settle-circuit'
  | 'ask-probe'
  | 'learn'
  | 'adopt'
  | 'rerun'
  | 'hold'
  | 'release'
  | 'rollback'
  | 'trim'

export interface RunScript {
  (name: ScriptName, argument: object): Promise<unknown>
  /** Has Redis know the script before its first call. */
  load(name: ScriptName): Promise<void>
}

interface Script {
  lua: string
  sha: string
}

/** What takes a new promotion in or begins an attempt; everything else must work when Redis's memory is full. */
const BEGINNINGS: readonly ScriptName[] = ['accept', 'rehearse', 'claim', 'rollback']

/** The text of one script by its file's name. Others than the files' own are for tests that take a guard out. */
export type ReadScript = (name: ScriptName | 'prelude') => string

export const readScript: ReadScript = (name) =>
  readFileSync(new URL(`scripts/${name}.lua`, import.meta.url), 'utf8')

/** In JSON a lone surrogate is written as an escape, and there is hardly ever one: the slow way is for those only. */
const SURROGATE = /\\ud[89a-f]/

function wellFormed(argument: object): string {
  const text = JSON.stringify(argument)
  if (!SURROGATE.test(text)) return text
  return JSON.stringify(argument, (_, value) => (typeof value === 'string' ? value.toWellFormed() : value))
}

/** Runs scripts over the given connection on keys that begin with `prefix`. */
export function createScriptRunner(redis: Redis, prefix: string, read: ReadScript = readScript): RunScript {
  const scripts = new Map<ScriptName, Script>()

  function scriptNamed(name: ScriptName): Script {
    let script = scripts.get(name)
    if (!script) {
      const flags = BEGINNINGS.includes(name) ? '' : ' flags=allow-oom'
      const lua = `#!lua${flags}\n${read('prelude')}\n${read(name)}`
      script = { lua, sha: createHash('sha1').update(lua).digest('hex') }
      scripts.set(name, script)
    }
    return script
  }

  const run = async (name: ScriptName, argument: object) => {
    const { lua, sha } = scriptNamed(name)
    const text = wellFormed(argument)
    const answer = await redis.evalsha(sha, 1, prefix, text).catch((error: Error) => {
      if (error.message.startsWith('NOSCRIPT')) return redis.eval(lua, 1, prefix, text)
      throw error
    })
    return JSON.parse(String(answer))
  }
  const load = async (name: ScriptName) => void (await redis.script('LOAD', scriptNamed(name).lua))
  return Object.assign(run, { load })
}

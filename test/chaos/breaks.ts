// One guard taken out on purpose, by what is passed in: other texts of the ledger's scripts, or other pauses. The
// harness must fail then. A text that is no longer found is an error, so that no break goes stale unnoticed.
import type { Settings } from '../../shared/config.ts'
import { type ReadScript, readScript } from '../../shared/ledger/scripts.ts'
import type { Pauses } from '../../worker/pauses.ts'

export const BREAKS = ['intent', 'deadline', 'fence', 'resolve', 'supersede', 'epoch', 'replay'] as const
export type Break = (typeof BREAKS)[number]

interface Replacement {
  script: Parameters<ReadScript>[0]
  from: string
  to: string
}

const IN_SCRIPTS: Readonly<Record<Break, readonly Replacement[]>> = {
  // `go` without anything stored: neither the attempt nor the target's place.
  intent: [
    { script: 'claim', from: "move(p, 'dispatching', {", to: 'local _ = ({' },
    {
      script: 'claim',
      from: "set(key('target', p.target), { inFlight = p.id, pending = '' })",
      to: 'p.attempts = p.attempts + 1',
    },
  ],
  // In the pauses: see below.
  deadline: [],
  // Whoever tells an outcome is believed.
  fence: [{ script: 'outcome', from: 'local mine = p.token == arg.token', to: 'local mine = true' }],
  // An outcome that nobody knows is taken for a failure, and sent again at once.
  resolve: [
    {
      script: 'outcome',
      from: 'local kind = arg.next.kind',
      to: "local kind = arg.next.kind\nif kind == 'unknown' then kind = 'again'; arg.next.delayMs = 0 end",
    },
  ],
  // Nothing gives way to a newer one, neither waiting nor when it comes back.
  supersede: [
    { script: 'prelude', from: 'elseif older then supersede(older, given.id) end', to: 'end' },
    { script: 'claim', from: 'if t.pending ~= p.id then', to: 'if false then' },
    { script: 'prelude', from: 'if newer == p.id then return nil end', to: 'if true then return nil end' },
    {
      script: 'redrive',
      from: "local newest = redis.call('HGET', key('target', p.target), 'newest')",
      to: 'local newest = p.id',
    },
  ],
  // A restart of Redis is not noticed.
  epoch: [
    {
      script: 'prelude',
      from: "string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') or ''",
      to: "'always the same'",
    },
  ],
  // A script that is sent again after a reconnect is not known again.
  replay: [
    { script: 'claim', from: 'if p.token == arg.token then return go() end', to: '' },
    { script: 'outcome', from: 'if last.told == told then return last.answer end', to: '' },
  ],
}

/** @throws where one of its texts is not to be found: at once, and not somewhere within a worker. */
export function assertBreakable(broken: Break): void {
  for (const { script } of IN_SCRIPTS[broken]) brokenScripts(broken)(script)
}

/** The ledger's scripts with one guard out. @throws where a text to replace is not there exactly once */
export function brokenScripts(broken: Break): ReadScript {
  return (name) => {
    let lua = readScript(name)
    for (const { script, from, to } of IN_SCRIPTS[broken]) {
      if (script !== name) continue
      if (lua.split(from).length !== 2) {
        throw new Error(`--break=${broken}: ${name}.lua does not hold exactly once: ${from}`)
      }
      lua = lua.replace(from, () => to)
    }
    return lua
  }
}

const HOUR_S = 3_600

/** `deadline`: it never passes, while the resolver reckons with the usual one. */
export function brokenTerms(broken: Break | null, settings: Settings, pauses: Pauses) {
  if (broken !== 'deadline') return { settings, pauses }
  return {
    settings: { ...settings, RESOLVE_PATIENCE_SECONDS: settings.RESOLVE_PATIENCE_SECONDS - HOUR_S },
    pauses: { ...pauses, sendDeadlineMs: pauses.sendDeadlineMs + HOUR_S * 1000 },
  }
}

// Each guard in the scripts is taken out once: the model check must notice, or the guard is not tested by it (or not
// needed). The texts stand in the scripts word for word; a guard that was reworded must be named anew here.
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { ReadScript, ScriptName } from '../../shared/ledger/scripts.ts'
import { ledgerHolds } from '../model/property.ts'
import { readOnce } from '../model/read-once.ts'
import { type PrivateRedis, startPrivateRedis } from '../support/private-redis.ts'

interface Guard {
  name: string
  script: ScriptName | 'prelude'
  text: string
  /** What stands there instead; nothing by default. */
  without?: string
}

const GUARDS: readonly Guard[] = [
  {
    name: 'a second worker does not send while an attempt may be under way',
    script: 'claim',
    text: 'if p.token == arg.token then return go() end',
    without: 'do return go() end',
  },
  {
    name: 'a promotion in doubt is not sent, though its own claim comes again',
    script: 'claim',
    text: "if (p.doubt or '') == '' then\n    if p.token == arg.token then return go() end",
    without: "if p.token == arg.token then return go() end\n  if (p.doubt or '') == '' then",
  },
  {
    name: 'one promotion of a target is in flight at a time',
    script: 'claim',
    text: "if (t.inFlight or '') ~= '' then",
    without: 'if false then',
  },
  {
    name: 'what may have been sent before Redis was restarted is looked for first',
    script: 'claim',
    text: 'if p.epoch ~= epoch() then',
    without: 'if false then',
  },
  {
    name: 'a newer promotion waits for an older one that may have been sent',
    script: 'claim',
    text: "if redis.call('SCARD', key('unsure', p.target)) > 0 then",
    without: 'if false then',
  },
  {
    name: 'where runs can not be told apart there is one unknown at a time',
    script: 'claim',
    text: 'if unknown > 0 then',
    without: 'if false then',
  },
  {
    name: 'an open circuit is not passed',
    script: 'claim',
    text: "if c.halfOpen ~= '1' then",
    without: 'if false then',
  },
  {
    name: 'one probe passes a half-open circuit',
    script: 'claim',
    text: 'if busy > 0 then',
    without: 'if false then',
  },
  {
    name: "only the attempt's own token tells its end",
    script: 'outcome',
    text: 'local mine = p.token == arg.token',
    without: 'local mine = true',
  },
  {
    name: 'an outcome told twice answers the same',
    script: 'outcome',
    text: 'if last.told == told then return last.answer end',
  },
  {
    name: 'an attempt that started nothing gives way to a newer promotion',
    script: 'prelude',
    text: 'if newer == p.id then return nil end',
    without: 'do return nil end',
  },
  {
    name: 'a newer promotion takes the place of one that waits',
    script: 'prelude',
    text: 'elseif older then supersede(older, given.id) end',
    without: 'end',
  },
  {
    name: 'a run is waited for with patience',
    script: 'resolve',
    text: "if now < since + arg.certainAfterMs then return cjson.encode({ kind = 'patience' }) end",
  },
  {
    name: 'several listings are needed to say absent',
    script: 'resolve',
    text: "if p.looks - p.looksBefore < arg.looksNeeded then return cjson.encode({ kind = 'patience' }) end",
  },
  {
    name: 'each listing counts once',
    script: 'resolve',
    text: "if tonumber(p.looks or 0) ~= arg.looks then return cjson.encode({ kind = 'patience' }) end",
  },
  {
    name: 'a doubt ends with the state in which it arose',
    script: 'prelude',
    text: '  end_doubt(p)\n  redis.call',
    without: '  redis.call',
  },
  {
    name: 'a dead letter that was overtaken does not come back',
    script: 'redrive',
    text: "local newest = redis.call('HGET', key('target', p.target), 'newest')",
    without: 'local newest = p.id',
  },
  {
    name: 'only the dead letter that was meant is put back',
    script: 'redrive',
    text: 'if tonumber(p.deadLetters) ~= arg.deadLetter then',
    without: 'if false then',
  },
  {
    name: 'only the dead letter that was meant is discarded',
    script: 'discard',
    text: 'if tonumber(p.deadLetters) ~= arg.deadLetter then',
    without: 'if false then',
  },
  {
    name: 'what may have been sent is looked for before it counts as discarded',
    script: 'discard',
    text: 'local unsure = maybe_sent(p)',
    without: 'local unsure = false',
  },
  {
    name: "another promotion's run is not taken for the end of this one",
    script: 'finish',
    text: ' and own_run(p, arg.runId)',
  },
  {
    name: 'only what was sent, or may have been, is taken up',
    script: 'adopt',
    text: "(p.state == 'accepted' and (tonumber(p.attempts) > 0 or maybe_sent(p)))",
    without: "p.state == 'accepted'",
  },
  {
    name: "another promotion's run is not taken up for this one",
    script: 'adopt',
    text: 'if not sent or not own_run(p, arg.runId) then',
    without: 'if not sent then',
  },
  {
    name: 'a run that was started again counts once its promotion has ended',
    script: 'rerun',
    text: ' or not TERMINAL[p.state]',
  },
  {
    name: "only the promotion's own run counts when it was started again",
    script: 'rerun',
    text: ' or p.runId ~= arg.runId',
  },
  {
    name: 'each attempt of a run that was started again counts once',
    script: 'rerun',
    text: ' or arg.runAttempt <= tonumber(p.runAttempt or 0)',
  },
  {
    name: 'an attempt that failed puts nothing live',
    script: 'rerun',
    text: 'not arg.success or ',
  },
  {
    name: 'an attempt that succeeded before what is live puts nothing live',
    script: 'rerun',
    text: 'arg.updatedAt < tonumber(t.liveAt or 0)',
    without: 'false',
  },
  {
    name: 'what is live has succeeded last, whoever was told first',
    script: 'finish',
    text: 'local overtaken = at > 0 and at < tonumber(t.liveAt or 0)',
    without: 'local overtaken = false',
  },
  {
    name: 'the end of an attempt that was begun anew is none',
    script: 'finish',
    text: 'if finished and tonumber(arg.runAttempt) < tonumber(p.runAttempt or 0) then finished = false end',
  },
  {
    name: 'an earlier attempt of a run is not told over a later one',
    script: 'track',
    text: 'if attempt ~= known then return attempt < known end',
  },
  {
    name: 'what GitHub told earlier does not come over what it told later',
    script: 'track',
    text: 'if at > 0 and at ~= known_at then return at < known_at end',
  },
  {
    name: 'within a second a webhook does not take a run back',
    script: 'track',
    text: 'return arg.told and (STEP[arg.status] or 2) < (STEP[p.runStatus] or 2)',
    without: 'return false',
  },
  {
    name: 'a run is not followed after its end',
    script: 'track',
    text: "p.state ~= 'dispatched' or ",
  },
  {
    name: 'never a rollback of a rollback',
    script: 'finish',
    text: " and p.rollback ~= '1'",
  },
  {
    name: 'nothing is put back over something newer that waits',
    script: 'finish',
    text: "(t.pending or '') == '' and ",
  },
  {
    name: 'nothing is put back where a person holds the target',
    script: 'finish',
    text: " and not (hold and hold.kind == 'person')",
  },
  {
    name: 'nothing is put back in place of itself',
    script: 'finish',
    text: ' and t.live ~= p.version',
  },
  {
    name: 'what a person holds is not sent',
    script: 'claim',
    text: "(hold.kind == 'person' or blocks(hold, p.version))",
    without: 'blocks(hold, p.version)',
  },
  {
    name: 'the rollback itself goes',
    script: 'claim',
    text: 'hold.passes ~= p.id and ',
  },
  {
    name: 'a version that was rolled back from is skipped when it is offered again',
    script: 'accept',
    text: "skip = blocked and 'it was",
    without: "skip = false and 'it was",
  },
  {
    name: 'a newer version frees what was rolled back from',
    script: 'accept',
    text: 'if not blocked and not by_newer then unblock(given.target, hold) end',
  },
  {
    name: 'rolled back twice at once, it is rolled back once',
    script: 'rollback',
    text: 'if is_under_way and',
    without: 'if false and',
  },
  {
    name: 'a person is not rolled back to what was rolled back from, unless it is asked for',
    script: 'rollback',
    text: 'if not arg.to and blocks(hold_of(arg.target), to) then',
    without: 'if false then',
  },
  {
    name: 'a person rolls back to what was blocked, and it goes',
    script: 'prelude',
    text: 'if version ~= order.to and version ~= order.from then',
    without: 'if version ~= order.from then',
  },
  {
    name: 'what a person has put live is not held back any more',
    script: 'rerun',
    text: 'if blocks(hold, p.version) then unblock(p.target, hold) end',
  },
  {
    name: 'what was to replace what a person has put live gives way',
    script: 'rerun',
    text: 'if waiting and waiting.parent == p.id and not maybe_sent(waiting) then',
    without: 'if false then',
  },
  {
    name: 'what was released is news when it is offered again',
    script: 'release',
    text: "redis.call('DEL', seen_name(arg.target, version))",
    without: 'local _ = version',
  },
  {
    name: 'the live and the newest promotion of a target are never forgotten',
    script: 'trim',
    text: 'if p and (t.livePromotion == id or t.newest == id) then',
    without: 'if false then',
  },
]

/** So many sequences at most; most guards are missed within a few dozen. */
const runs = Number(process.env.MODEL_RUNS ?? 5_000)

/** `GUARD=discarded`: only those whose name holds this. */
const asked = process.env.GUARD ?? ''

/** The tests of every `parts`th guard: the parts go side by side. */
export function testGuards(part: number, parts: number): void {
  let server: PrivateRedis
  let redis: Redis
  beforeAll(async () => {
    server = await startPrivateRedis({ config: ['appendonly no'] })
    redis = new Redis(server.url, { replyMapping: 'legacy' })
  })
  afterAll(async () => {
    redis?.disconnect()
    await server?.stop()
  })

  test.each(GUARDS.filter(({ name }, n) => n % parts === part && name.includes(asked)))(
    'noticed when it is out: $name',
    async ({ script, text, without = '' }) => {
      const whole = readOnce(script)
      expect(whole.split(text), `${script}.lua holds the guard once`).toHaveLength(2)
      const read: ReadScript = (name) =>
        name === script ? whole.replace(text, () => without) : readOnce(name)

      const found = await fc.check(ledgerHolds(redis, { read }), {
        numRuns: runs,
        endOnFailure: true,
        unbiased: true,
      })

      if (process.env.MODEL_TALLY)
        process.stdout.write(`${found.numRuns}: ${String(found.errorInstance).split('\n')[0]}\n`)
      expect(found.failed).toBe(true)
    },
    900_000,
  )
}

/** `promotion-relay promote`: puts a promotion in, and where asked to shows each step until its end. */
import type { Command } from 'commander'
import type { Producer, PromotionRequest } from '../../producer/index.ts'
import type { Environment } from '../../shared/config.ts'
import { type FieldProblem, validatePromotion } from '../../shared/promotion.ts'
import { address, complain, EXIT, print, refuse, seconds } from '../command-line.ts'
import { findRelay } from './find-relay.ts'
import { waitFor } from './wait-for.ts'

interface PromoteFlags {
  model?: string
  version?: string
  accuracy?: string
  environment?: string
  source?: string
  rollback?: boolean
  idempotencyKey?: string
  url?: string
  wait?: boolean
  timeout: number
  json?: boolean
}

export function addPromote(program: Command, environment: () => Environment): void {
  program
    .command('promote')
    .description('promotes a model version')
    .option('--model <name>', 'registered model (required)')
    .option('--version <version>', 'version of the model (required)')
    .option('--accuracy <share>', 'accuracy, 0 to 1')
    .option('--environment <name>', 'where to deploy it (default: production)')
    .option('--source <text>', 'sent as trigger_source (default: automated_ct_pipeline)')
    .option('--rollback', 'going back to a version seen before is meant')
    .option('--idempotency-key <key>', 'the same key never makes a second promotion')
    .option(
      '--url <address>',
      "the relay's server; else REDIS_URL, else the relay that runs in DATA_DIR",
      address,
    )
    .option('--wait', 'show each step until its end')
    .option('--timeout <seconds>', 'with --wait: give up watching after this time', seconds, 3600)
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      `
Exit codes:
  0  accepted, a duplicate, or kept in SPOOL_DIR; with --wait: deployed
  1  with --wait: it ended otherwise
  2  wrong input or settings
  3  the relay can't be reached: it is safe to run this again
  4  --wait was over before the end`,
    )
    .action(async (flags: PromoteFlags) => {
      const request = requestFrom(flags)
      // Before a relay is looked for: what is wrong here is wrong everywhere.
      const checked = validatePromotion(request)
      if (!checked.ok) refuse(flagProblems(checked.problems))
      const producer = await findRelay(environment(), flags.url)
      const code = await promote(producer, request, flags, callersTrace(environment()))
      await producer.close()
      // A connection that never came about would keep the process for another two seconds.
      process.exit(code)
    })
}

function requestFrom(flags: PromoteFlags): PromotionRequest {
  const { model, version, environment: where, source, rollback } = flags
  const accuracy =
    flags.accuracy === undefined
      ? undefined
      : flags.accuracy.trim() === ''
        ? Number.NaN
        : Number(flags.accuracy)
  return {
    model,
    version,
    ...(accuracy === undefined ? {} : { accuracy }),
    ...(where === undefined ? {} : { environment: where }),
    ...(source === undefined ? {} : { source }),
    ...(rollback ? { rollback } : {}),
  } as PromotionRequest
}

function flagProblems(problems: readonly FieldProblem[]): string[] {
  return problems.map(({ field, problem }) => `--${field.toLowerCase()} ${problem}`)
}

async function promote(
  producer: Producer,
  request: PromotionRequest,
  flags: PromoteFlags,
  trace: CallersTrace,
): Promise<number> {
  const { model, version } = request
  const { idempotencyKey } = flags
  const result = await producer.promote(request, {
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    ...trace,
  })
  if (flags.json) print(JSON.stringify(result))
  switch (result.status) {
    case 'invalid':
      complain(...flagProblems(result.problems))
      return EXIT.wrong
    case 'key_reused':
      complain('the idempotency key was used for another promotion')
      return EXIT.wrong
    case 'unavailable':
      complain(result.reason, 'nothing is known to be accepted; it is safe to run this again')
      return EXIT.unreachable
    case 'spooled':
      complain(
        result.reason,
        `kept in the spool as ${result.id}: promotion-relay flush delivers it, and so does the next promotion`,
      )
      // Nothing of it can be shown yet.
      return flags.wait ? EXIT.unreachable : EXIT.done
    case 'duplicate':
    case 'accepted': {
      const before = result.live === '' ? 'the first of its target' : `version ${result.live} is live now`
      if (!flags.json) {
        if (result.state === 'skipped')
          print(`skipped ${result.id}: ${model} ${version} was rolled back from, and is held back`)
        else if (result.state === 'superseded')
          print(`superseded ${result.id}: something newer was accepted meanwhile`)
        else if (result.status === 'accepted') print(`accepted ${result.id}: ${model} ${version}, ${before}`)
        else print(`duplicate of ${result.id} (${result.state}): nothing new was queued`)
      }
      return flags.wait ? waitFor(producer, result.id, flags) : EXIT.done
    }
    default:
      return result satisfies never
  }
}

interface CallersTrace {
  traceparent?: string
  tracestate?: string
}

/** Where whoever starts a program says which trace it belongs to. */
function callersTrace({ TRACEPARENT: traceparent, TRACESTATE: tracestate }: Environment): CallersTrace {
  return { ...(traceparent && { traceparent }), ...(tracestate && { tracestate }) }
}

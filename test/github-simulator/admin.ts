// Steering from another process: the same verbs as the simulator's face, as JSON under /_simulator/.
// These requests are not logged, so that looking at the log doesn't change it.
import { z } from 'zod'
import { type Answer, empty, json, parsedJson, refusal } from './answer.ts'
import { faultSchema } from './faults.ts'
import type { Simulator } from './simulator.ts'
import { webhookFaultSchema } from './webhook-faults.ts'

export type Steering = Omit<Simulator, 'url' | 'close' | 'dispatches'>

const statusSchema = z.enum(['requested', 'queued', 'pending', 'waiting', 'in_progress'])
const durationMs = z.number().nonnegative().optional()
const lifeSchema = z.strictObject({
  queuedMs: durationMs,
  runMs: durationMs,
  conclusion: z.string().optional(),
})
const holdSchema = z.strictObject({ runId: z.int().optional(), status: statusSchema.optional() })
const releaseSchema = z.strictObject({ runId: z.int().optional() })
const completeSchema = z.strictObject({ conclusion: z.string().optional() })
const webhookSchema = z.strictObject({ url: z.url({ protocol: /^https?$/ }), secret: z.string().optional() })
const workflowSchema = z.strictObject({
  state: z.enum(['active', 'disabled_manually']).optional(),
  trigger: z.boolean().optional(),
  inputs: z
    .union([z.literal('any'), z.record(z.string(), z.strictObject({ required: z.boolean().optional() }))])
    .optional(),
  refs: z.array(z.string()).optional(),
  runName: z.boolean().optional(),
  guard: z.boolean().optional(),
  text: z.string().optional(),
  needsApproval: z.boolean().optional(),
})

const installationSchema = z.strictObject({ state: z.enum(['active', 'suspended', 'removed']) })

export function adminAnswer(method: string, pathname: string, rawBody: string, steering: Steering): Answer {
  const body = rawBody === '' ? {} : parsedJson(rawBody)
  try {
    return verb(`${method} ${pathname.slice('/_simulator/'.length)}`, body, steering)
  } catch (error) {
    if (error instanceof z.ZodError) return refusal(400, z.prettifyError(error))
    return refusal(404, error instanceof Error ? error.message : String(error))
  }
}

function verb(asked: string, body: unknown, steering: Steering): Answer {
  if (asked === 'GET log') return json(200, steering.log)
  if (asked === 'GET runs') return json(200, steering.runs)
  if (asked === 'GET deliveries') return json(200, steering.deliveries)
  if (asked === 'POST faults') {
    const faults = z.array(faultSchema).parse(Array.isArray(body) ? body : [body])
    for (const fault of faults) steering.fault(fault)
    return empty(204)
  }
  if (asked === 'DELETE faults') {
    steering.clearFaults()
    return empty(204)
  }
  if (asked === 'POST webhook-faults') {
    steering.webhookFault(webhookFaultSchema.parse(body))
    return empty(204)
  }
  if (asked === 'POST webhooks') return json(201, { id: steering.subscribe(webhookSchema.parse(body)) })
  const delivery = /^POST deliveries\/(\d+)\/redeliver$/.exec(asked)?.[1]
  if (delivery !== undefined) {
    void steering.redeliver(Number(delivery))
    return empty(202)
  }
  if (asked === 'POST life') {
    steering.setLife(lifeSchema.parse(body))
    return empty(204)
  }
  if (asked === 'POST hold') {
    const { runId, status } = holdSchema.parse(body)
    steering.hold(runId, status)
    return empty(204)
  }
  if (asked === 'POST release') {
    steering.release(releaseSchema.parse(body).runId)
    return empty(204)
  }
  const approved = /^POST runs\/(\d+)\/approve$/.exec(asked)?.[1]
  if (approved !== undefined) {
    steering.approve(Number(approved))
    return empty(204)
  }
  if (asked === 'POST installation') {
    steering.setInstallation(installationSchema.parse(body).state)
    return empty(204)
  }
  const runId = /^POST runs\/(\d+)\/complete$/.exec(asked)?.[1]
  if (runId !== undefined) {
    steering.complete(Number(runId), completeSchema.parse(body).conclusion)
    return empty(204)
  }
  const file = /^POST workflows\/([^/]+)$/.exec(asked)?.[1]
  if (file !== undefined) {
    steering.setWorkflow(file, workflowSchema.parse(body))
    return empty(204)
  }
  throw new Error(`the simulator has no ${asked}`)
}
